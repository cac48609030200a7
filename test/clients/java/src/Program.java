import com.fasterxml.jackson.databind.ObjectMapper;
import com.netflix.conductor.client.automator.TaskRunnerConfigurer;
import com.netflix.conductor.client.exception.ConductorClientException;
import com.netflix.conductor.client.http.ConductorClient;
import com.netflix.conductor.client.http.MetadataClient;
import com.netflix.conductor.client.http.TaskClient;
import com.netflix.conductor.client.http.WorkflowClient;
import com.netflix.conductor.client.worker.Worker;
import com.netflix.conductor.common.metadata.tasks.Task;
import com.netflix.conductor.common.metadata.tasks.TaskDef;
import com.netflix.conductor.common.metadata.tasks.TaskResult;
import com.netflix.conductor.common.metadata.workflow.RerunWorkflowRequest;
import com.netflix.conductor.common.metadata.workflow.StartWorkflowRequest;
import com.netflix.conductor.common.metadata.workflow.WorkflowDef;
import com.netflix.conductor.common.metadata.workflow.WorkflowTask;
import com.netflix.conductor.common.run.Workflow;
import com.netflix.conductor.common.run.WorkflowTestRequest;
import io.orkes.conductor.client.http.OrkesSchedulerClient;
import io.orkes.conductor.client.model.SaveScheduleRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.Supplier;

/** What a Java user does with conductor-client; prints what it saw, a JSON object a line. */
public final class Program {
    private static final long WAIT_MS = 90_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ConductorClient client = new ConductorClient(System.getenv("CONDUCTOR_SERVER_URL"));
    private final WorkflowClient workflows = new WorkflowClient(client);
    private final TaskClient tasks = new TaskClient(client);
    private final MetadataClient metadata = new MetadataClient(client);
    private final OrkesSchedulerClient scheduler = new OrkesSchedulerClient(client);

    public static void main(String[] parameters) throws Exception {
        Program program = new Program();
        program.definitions();
        TaskRunnerConfigurer runner = program.startWorkers();
        program.runs();
        runner.shutdown();
        program.control();
        program.byHand();
        program.signals();
        program.search();
        program.schedules();
        program.rehearsal();
        program.refusals();
        saw("end");
        // The client's threads would keep the process for a while.
        System.exit(0);
    }

    private static void saw(String what, Object... facts) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("saw", what);
        for (int index = 0; index < facts.length; index += 2) line.put((String) facts[index], facts[index + 1]);
        System.out.println(JSON.writeValueAsString(line));
    }

    private static <T> T until(String what, Supplier<T> look) throws Exception {
        long deadline = System.currentTimeMillis() + WAIT_MS;
        while (System.currentTimeMillis() < deadline) {
            T found = look.get();
            if (found != null) return found;
            Thread.sleep(50);
        }
        throw new IllegalStateException("waited too long for " + what);
    }

    private static void refused(String what, Callable<?> call) throws Exception {
        try {
            call.call();
            saw(what, "refused", false);
        } catch (ConductorClientException error) {
            saw(what, "refused", true, "status", error.getStatus());
        }
    }

    private Workflow ended(String run) throws Exception {
        return until("the end of " + run, () -> {
            Workflow found = workflows.getWorkflow(run, true);
            return found.getStatus().isTerminal() ? found : null;
        });
    }

    private String start(String name, Map<String, Object> input) {
        return workflows.startWorkflow(request(name, input));
    }

    private static StartWorkflowRequest request(String name, Map<String, Object> input) {
        return new StartWorkflowRequest().withName(name).withVersion(1).withInput(input);
    }

    private static List<String> statuses(Workflow run) {
        return run.getTasks().stream().map(task -> task.getStatus().name()).toList();
    }

    private static WorkflowTask step(String type, String name, String reference, Map<String, Object> input) {
        WorkflowTask step = new WorkflowTask();
        step.setName(name);
        step.setTaskReferenceName(reference);
        step.setType(type);
        step.setInputParameters(input);
        return step;
    }

    private void define(String name, Map<String, Object> output, WorkflowTask... steps) {
        WorkflowDef definition = new WorkflowDef();
        definition.setName(name);
        definition.setVersion(1);
        definition.setOwnerEmail("a@example.org");
        definition.setTimeoutSeconds(0);
        definition.setTasks(new ArrayList<>(List.of(steps)));
        definition.setOutputParameters(output);
        metadata.updateWorkflowDefs(List.of(definition));
    }

    private void definitions() throws Exception {
        List<TaskDef> definitions = new ArrayList<>();
        for (String name : List.of("add", "text", "stumble", "domain", "hand", "hand_two")) {
            TaskDef definition = new TaskDef("java_" + name);
            definition.setRetryCount(1);
            definition.setRetryDelaySeconds(0);
            definition.setTimeoutSeconds(120);
            definition.setResponseTimeoutSeconds(60);
            definition.setOwnerEmail("a@example.org");
            definitions.add(definition);
        }
        metadata.registerTaskDefs(definitions);
        saw("task definition", "retries", metadata.getTaskDef("java_add").getRetryCount());
        WorkflowTask choose = step("SWITCH", "choose", "choose", Map.of("more", "${workflow.input.more}"));
        choose.setEvaluatorType("value-param");
        choose.setExpression("more");
        choose.setDecisionCases(Map.of("yes", List.of(
                step("SIMPLE", "java_add", "third", Map.of("a", 100, "b", "${first.output.sum}")))));
        define("java_sum", Map.of("sum", "${first.output.sum}", "text", "${second.output.text}"),
                step("SIMPLE", "java_add", "first", Map.of("a", "${workflow.input.a}", "b", "${workflow.input.b}")),
                step("SIMPLE", "java_text", "second", Map.of("n", "${first.output.sum}")), choose);
        WorkflowDef read = metadata.getWorkflowDef("java_sum", 1);
        saw("workflow definition", "name", read.getName(), "version", read.getVersion(),
                "tasks", read.getTasks().stream().map(WorkflowTask::getType).toList());
        define("java_stumbles", Map.of(), step("SIMPLE", "java_stumble", "oops", Map.of("n", 7)));
        define("java_in_domain", Map.of(), step("SIMPLE", "java_domain", "there", Map.of()));
        define("java_hands", Map.of(), step("SIMPLE", "java_hand", "one", Map.of()),
                step("SIMPLE", "java_hand_two", "two", Map.of()));
        define("java_waits", Map.of(), step("WAIT", "wait", "wait", Map.of()), step("WAIT", "again", "again", Map.of()));
        boolean known = metadata.getAllWorkflowsWithLatestVersions().stream().anyMatch(one -> one.getName().equals("java_sum"));
        saw("workflow definitions", "known", known);
    }

    private static Worker worker(String name, Function<Task, Map<String, Object>> function) {
        return Worker.create("java_" + name, task -> {
            TaskResult result = new TaskResult(task);
            result.setOutputData(new LinkedHashMap<>(function.apply(task)));
            result.setStatus(TaskResult.Status.COMPLETED);
            result.log("done");
            return result;
        });
    }

    private static int number(Task task, String key) {
        return ((Number) task.getInputData().get(key)).intValue();
    }

    private TaskRunnerConfigurer startWorkers() {
        List<Worker> workers = List.of(
                worker("add", task -> Map.of("sum", number(task, "a") + number(task, "b"))),
                worker("text", task -> Map.of("text", "<" + task.getInputData().get("n") + ">")),
                worker("stumble", task -> {
                    throw new IllegalStateException("stumbled over " + task.getInputData().get("n"));
                }),
                worker("domain", task -> Map.of("domain", task.getDomain())));
        TaskRunnerConfigurer runner = new TaskRunnerConfigurer.Builder(tasks, workers)
                .withThreadCount(2)
                .withTaskToDomain(Map.of("java_domain", "cool"))
                .build();
        runner.init();
        return runner;
    }

    private void runs() throws Exception {
        StartWorkflowRequest asked = request("java_sum", Map.of("a", 1, "b", 2, "more", "yes"))
                .withCorrelationId("java-sum").withPriority(5);
        Workflow run = ended(workflows.startWorkflow(asked));
        saw("run", "status", run.getStatus(), "output", new TreeMap<>(run.getOutput()), "priority", run.getPriority(), "tasks",
                run.getTasks().stream().map(task -> List.of(task.getReferenceTaskName(), task.getTaskType(), task.getStatus())).toList());
        saw("logs", "lines", tasks.getTaskLogs(run.getTasks().get(0).getTaskId()).stream().map(log -> log.getLog()).toList());
        Workflow failed = ended(start("java_stumbles", Map.of()));
        String reason = failed.getTasks().get(failed.getTasks().size() - 1).getReasonForIncompletion();
        saw("stumbled", "status", failed.getStatus(), "tasks", statuses(failed), "told", reason.contains("stumbled over 7"));
        StartWorkflowRequest there = request("java_in_domain", Map.of());
        there.setTaskToDomain(Map.of("java_domain", "cool"));
        Workflow inDomain = ended(workflows.startWorkflow(there));
        saw("domain", "status", inDomain.getStatus(), "output", inDomain.getOutput());
        List<Object> sums = new ArrayList<>();
        List<String> many = new ArrayList<>();
        for (int n = 0; n < 10; n++) many.add(start("java_sum", Map.of("a", n, "b", n)));
        for (String each : many) sums.add(ended(each).getOutput().get("sum"));
        saw("many", "sums", sums);
        saw("poll data", "queues", tasks.getPollData("java_add").stream().map(data -> data.getQueueName()).toList());
        var executed = workflows.executeWorkflow(request("java_sum", Map.of("a", 5, "b", 6)), null).get();
        saw("executed", "status", executed.getStatus(), "output", new TreeMap<>(executed.getOutput()));
    }

    private void blocked(String run, String reference) throws Exception {
        until(reference + " in progress", () -> {
            List<Task> steps = workflows.getWorkflow(run, true).getTasks();
            Task last = steps.isEmpty() ? null : steps.get(steps.size() - 1);
            return last != null && last.getReferenceTaskName().equals(reference)
                    && last.getStatus() == Task.Status.IN_PROGRESS ? last : null;
        });
    }

    private void control() throws Exception {
        String run = start("java_waits", Map.of());
        Supplier<Object> status = () -> workflows.getWorkflow(run, false).getStatus();
        blocked(run, "wait");
        workflows.pauseWorkflow(run);
        saw("paused", "status", status.get());
        workflows.resumeWorkflow(run);
        saw("resumed", "status", status.get());
        workflows.runDecider(run);
        workflows.terminateWorkflow(run, "enough");
        Workflow stopped = workflows.getWorkflow(run, true);
        saw("terminated", "status", stopped.getStatus(), "reason", stopped.getReasonForIncompletion(), "tasks", statuses(stopped));
        workflows.restart(run, false);
        saw("restarted", "status", status.get());
        workflows.terminateWorkflow(run, "again");
        workflows.retryLastFailedTask(run);
        saw("retried", "status", status.get());
        workflows.terminateWorkflow(run, "again");
        saw("rerun", "same", workflows.rerunWorkflow(run, new RerunWorkflowRequest()).equals(run), "status", status.get());
        blocked(run, "wait");
        var bulk = workflows.pauseWorkflows(List.of(run, "00000000-0000-4000-8000-000000000000"));
        saw("bulk", "well", bulk.getBulkSuccessfulResults().size(), "failed", bulk.getBulkErrorResults().size());
        workflows.resumeWorkflow(run);
        workflows.terminateWorkflow(run, "at last");
        workflows.deleteWorkflow(run, false);
        refused("deleted", () -> workflows.getWorkflow(run, true).getStatus());
    }

    private void byHand() throws Exception {
        String run = start("java_hands", Map.of());
        saw("queue size", "size", tasks.getQueueSizeForTask("java_hand"));
        Task task = until("a task", () -> tasks.pollTask("java_hand", "by-hand", null));
        saw("polled", "reference", task.getReferenceTaskName(), "status", task.getStatus(), "worker", task.getWorkerId());
        tasks.logMessageForTask(task.getTaskId(), "a line of log");
        var logs = until("the log", () -> {
            var found = tasks.getTaskLogs(task.getTaskId());
            return found == null || found.isEmpty() ? null : found;
        });
        saw("log", "lines", logs.stream().map(log -> log.getLog()).toList());
        TaskResult result = new TaskResult(task);
        result.setStatus(TaskResult.Status.COMPLETED);
        result.getOutputData().put("nested", Map.of("list", List.of(1, "x")));
        tasks.updateTask(result);
        Task read = tasks.getTaskDetails(task.getTaskId());
        saw("task", "status", read.getStatus(), "output", read.getOutputData());
        List<Task> batch = until("a batch", () -> {
            List<Task> found = tasks.batchPollTasksByTaskType("java_hand_two", "by-hand", 5, 1000);
            return found.isEmpty() ? null : found;
        });
        TaskResult last = new TaskResult(batch.get(0));
        last.setStatus(TaskResult.Status.COMPLETED);
        saw("updated, nothing follows", "next", tasks.updateTaskV2(last));
        saw("batch", "count", batch.size(), "status", ended(run).getStatus());
        String other = start("java_hands", Map.of());
        workflows.skipTaskFromWorkflow(other, "two");
        Workflow after = tasks.updateTaskSync(other, "one", TaskResult.Status.COMPLETED, Map.of("by", "hand"));
        saw("skipped", "status", after.getStatus(), "tasks", statuses(after).stream().sorted().toList());
    }

    private void signals() throws Exception {
        String run = start("java_waits", Map.of());
        blocked(run, "wait");
        tasks.signalAsync(run, Task.Status.COMPLETED, Map.of("signal", 1));
        blocked(run, "again");
        var answer = tasks.signal(run, Task.Status.COMPLETED, Map.of("signal", 2));
        saw("signal", "kind", String.valueOf(answer.getResponseType()), "same", run.equals(answer.getTargetWorkflowId()));
        Workflow done = ended(run);
        saw("signalled", "status", done.getStatus(), "outputs", done.getTasks().stream().map(Task::getOutputData).toList());
    }

    private void search() throws Exception {
        String query = "workflowType = 'java_sum' AND correlationId = 'java-sum'";
        var found = until("the run in the index", () -> {
            var answer = workflows.search(query);
            return answer.getTotalHits() > 0 ? answer : null;
        });
        saw("search", "hits", found.getTotalHits(), "results", found.getResults().stream()
                .map(one -> List.of(one.getWorkflowType(), one.getStatus(), one.getCorrelationId())).toList());
        saw("search without hits", "hits", workflows.search("workflowType = 'java_none'").getTotalHits());
        saw("correlated", "count", workflows.getWorkflows("java_sum", "java-sum", true, false).size());
    }

    private void schedules() throws Exception {
        SaveScheduleRequest asked = new SaveScheduleRequest();
        asked.setName("java_schedule");
        asked.setCronExpression("0 0 * * * ?");
        asked.setPaused(true);
        asked.setStartWorkflowRequest(request("java_sum", Map.of("a", 1, "b", 1)));
        scheduler.saveSchedule(asked);
        var read = scheduler.getSchedule("java_schedule");
        saw("schedule", "cron", read.getCronExpression(), "paused", read.isPaused());
        List<Long> times = scheduler.getNextFewSchedules("0 0 * * * ?", null, null, 3);
        saw("next times", "count", times.size(), "apart", times.get(1) - times.get(0));
        saw("schedules", "names", scheduler.getAllSchedules("java_sum").stream().map(one -> one.getName()).toList());
        scheduler.deleteSchedule("java_schedule");
        refused("schedule deleted", () -> scheduler.getSchedule("java_schedule"));
    }

    private void rehearsal() throws Exception {
        WorkflowTestRequest asked = new WorkflowTestRequest();
        asked.setName("java_sum");
        asked.setVersion(1);
        asked.setWorkflowDef(metadata.getWorkflowDef("java_sum", 1));
        asked.setTaskRefToMockOutput(Map.of("first", mock("sum", 9), "second", mock("text", "x")));
        Workflow tested = workflows.testWorkflow(asked);
        saw("rehearsal", "status", tested.getStatus(), "output", new TreeMap<>(tested.getOutput()));
    }

    private static List<WorkflowTestRequest.TaskMock> mock(String key, Object value) {
        return List.of(new WorkflowTestRequest.TaskMock(TaskResult.Status.COMPLETED, Map.of(key, value)));
    }

    private void refusals() throws Exception {
        refused("unknown workflow", () -> start("java_no_such", Map.of()));
        refused("unknown definition", () -> metadata.getWorkflowDef("java_no_such", 1));
        refused("unknown task definition", () -> metadata.getTaskDef("java_no_such"));
        String run = start("java_waits", Map.of());
        refused("resume what is not paused", () -> {
            workflows.resumeWorkflow(run);
            return null;
        });
        refused("restart what runs", () -> {
            workflows.restart(run, false);
            return null;
        });
        workflows.terminateWorkflow(run, "done");
        refused("pause what has ended", () -> {
            workflows.pauseWorkflow(run);
            return null;
        });
    }
}
