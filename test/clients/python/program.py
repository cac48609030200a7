"""What a Python user does with conductor-python; prints what it saw, a JSON object a line, without ids and times."""

import json
import sys
import time

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.http.models import (
    RerunWorkflowRequest,
    SkipTaskRequest,
    StartWorkflowRequest,
    TaskDef,
    TaskResult,
)
from conductor.client.http.models.save_schedule_request import SaveScheduleRequest
from conductor.client.http.models.task_exec_log import TaskExecLog
from conductor.client.http.models.workflow_test_request import WorkflowTestRequest
from conductor.client.http.rest import ApiException
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.exception import NonRetryableException
from conductor.client.worker.worker_task import worker_task
from conductor.client.workflow.conductor_workflow import ConductorWorkflow
from conductor.client.workflow.task.fork_task import ForkTask
from conductor.client.workflow.task.simple_task import SimpleTask
from conductor.client.workflow.task.switch_task import SwitchTask
from conductor.client.workflow.task.wait_task import WaitTask

WAIT_SECONDS = 90


@worker_task(task_definition_name="python_add", poll_interval_millis=50)
def add(a: int, b: int) -> dict:
    return {"sum": a + b}


@worker_task(task_definition_name="python_text", poll_interval_millis=50)
def text(n: int) -> str:
    return f"<{n}>"


@worker_task(task_definition_name="python_refuse", poll_interval_millis=50)
def refuse() -> dict:
    raise NonRetryableException("never again")


@worker_task(task_definition_name="python_stumble", poll_interval_millis=50)
def stumble(n: int) -> dict:
    raise ValueError(f"stumbled over {n}")


@worker_task(task_definition_name="python_domain", domain="cool", poll_interval_millis=50)
def in_domain() -> dict:
    return {"domain": "cool"}


def saw(what, **facts):
    print(json.dumps({"saw": what, **facts}, sort_keys=True), flush=True)


def until(look, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"waited {WAIT_SECONDS} s for {what}")


def refused(what, call):
    try:
        call()
        saw(what, refused=False)
    except ApiException as error:
        saw(what, refused=True, status=error.status)


class Program:
    def __init__(self, configuration):
        clients = OrkesClients(configuration)
        self.workflows = clients.get_workflow_client()
        self.tasks = clients.get_task_client()
        self.metadata = clients.get_metadata_client()
        self.scheduler = clients.get_scheduler_client()
        self.executor = clients.get_workflow_executor()

    def ended(self, run):
        def look():
            found = self.workflows.get_workflow(run, include_tasks=True)
            return found if found.status in ("COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT") else None

        return until(look, f"the end of {run}")

    def start(self, name, values=None, **more):
        return self.workflows.start_workflow(StartWorkflowRequest(name=name, version=1, input=values or {}, **more))

    def run(self):
        self.definitions()
        self.workers()
        self.control()
        self.one_task_by_hand()
        self.signals()
        self.search()
        self.schedules()
        self.rehearsal()
        self.errors()

    def definitions(self):
        for name in ("add", "text", "refuse", "stumble", "domain", "hand", "hand_two"):
            limits = {"retry_count": 1, "retry_delay_seconds": 0, "timeout_seconds": 120, "response_timeout_seconds": 60}
            self.metadata.register_task_def(TaskDef(name=f"python_{name}", owner_email="a@example.org", **limits))
        found = self.metadata.get_task_def("python_add")
        found = found if isinstance(found, dict) else found.to_dict()
        saw("task definition", retries=found.get("retryCount", found.get("retry_count")))

        flow = ConductorWorkflow(executor=self.executor, name="python_sum", version=1, description="adds")
        first = SimpleTask("python_add", "first").input_parameter("a", flow.input("a")).input_parameter("b", flow.input("b"))
        second = SimpleTask("python_text", "second").input_parameter("n", first.output("sum"))
        choose = SwitchTask("choose", flow.input("more"))
        choose.switch_case("yes", [SimpleTask("python_add", "third").input_parameter("a", first.output("sum")).input_parameter("b", 100)])
        flow >> first >> second >> choose
        flow.output_parameters({"sum": first.output("sum"), "text": second.output("result"), "third": "${third.output.sum}"})
        flow.owner_email("a@example.org")
        flow.register(overwrite=True)
        read = self.metadata.get_workflow_def("python_sum", version=1)
        saw("workflow definition", name=read.name, version=read.version, tasks=[task.type for task in read.tasks])

        for name, tasks in {
            "python_refused": [SimpleTask("python_refuse", "no")],
            "python_stumbles": [SimpleTask("python_stumble", "oops").input_parameter("n", 7)],
            "python_in_domain": [SimpleTask("python_domain", "there")],
            "python_hands": [SimpleTask("python_hand", "one"), SimpleTask("python_hand_two", "two")],
            "python_waits": [WaitTask("wait"), WaitTask("again")],
        }.items():
            simple = ConductorWorkflow(executor=self.executor, name=name, version=1)
            for task in tasks:
                simple >> task
            simple.owner_email("a@example.org")
            simple.register(overwrite=True)

        fork = ConductorWorkflow(executor=self.executor, name="python_fork", version=1)
        branches = [[SimpleTask("python_add", f"b{n}").input_parameter("a", n).input_parameter("b", 1)] for n in (1, 2, 3)]
        fork >> ForkTask("split", branches, join_on=["b1", "b2", "b3"])
        fork.owner_email("a@example.org")
        fork.register(overwrite=True)

        names = {definition.name for definition in self.metadata.get_all_workflow_defs()}
        saw("workflow definitions", known="python_sum" in names and "python_waits" in names)

    def workers(self):
        run = self.start("python_sum", {"a": 1, "b": 2, "more": "yes"}, correlation_id="python-sum", priority=5)
        done = self.ended(run)
        saw("run", status=done.status, output=done.output, priority=done.priority, tasks=[
            [task.reference_task_name, task.task_type, task.status] for task in done.tasks
        ])
        done = self.ended(self.start("python_sum", {"a": 3, "b": 4}))
        saw("run without the case", status=done.status, output=done.output)
        done = self.ended(self.start("python_refused"))
        saw("refused", status=done.status, tasks=[task.status for task in done.tasks], reason=done.tasks[0].reason_for_incompletion)
        done = self.ended(self.start("python_stumbles"))
        saw("stumbled", status=done.status, tasks=[task.status for task in done.tasks], reason=done.tasks[-1].reason_for_incompletion)
        logs = until(lambda: self.tasks.get_task_logs(done.tasks[-1].task_id), "logs of the failure")
        saw("log of the failure", traceback="Traceback" in str(logs[0].log))
        done = self.ended(self.start("python_in_domain", task_to_domain={"python_domain": "cool"}))
        saw("domain", status=done.status, output=done.output)
        done = self.ended(self.start("python_fork"))
        join = done.tasks[-1]
        saw("fork", status=done.status, joined=sorted(join.output_data), sums=[join.output_data[key] for key in sorted(join.output_data)])
        data = self.tasks.get_task_poll_data("python_add")
        saw("poll data", queues=sorted({entry.queue_name for entry in data}))
        result = self.workflows.execute_workflow(
            StartWorkflowRequest(name="python_sum", version=1, input={"a": 5, "b": 6}), request_id="python", wait_for_seconds=10
        )
        saw("executed", status=result.status, output=result.output)

    def control(self):
        run = self.start("python_waits", correlation_id="python-control")
        until(lambda: self.workflows.get_workflow(run).tasks, "the wait")
        self.workflows.pause_workflow(run)
        saw("paused", status=self.workflows.get_workflow(run, include_tasks=False).status)
        self.workflows.resume_workflow(run)
        saw("resumed", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run, "enough")
        done = self.workflows.get_workflow(run)
        saw("terminated", status=done.status, reason=done.reason_for_incompletion, tasks=[task.status for task in done.tasks])
        self.workflows.restart_workflow(run)
        saw("restarted", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run)
        self.workflows.retry_workflow(run)
        saw("retried", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run)
        same = self.workflows.rerun_workflow(run, RerunWorkflowRequest())
        saw("rerun", same=same == run, status=self.workflows.get_workflow(run).status)
        self.tasks.update_task_by_ref_name(run, "wait", "COMPLETED", {"by": "reference"})
        status = self.workflows.get_workflow_status(run, include_output=True, include_variables=True)
        saw("status", status=status.status)
        self.workflows.terminate_workflow(run)
        self.workflows.delete_workflow(run)
        refused("deleted", lambda: self.workflows.get_workflow(run))

    def one_task_by_hand(self):
        run = self.start("python_hands")
        saw("queue size", size=self.tasks.get_queue_size_for_task("python_hand"))
        task = until(lambda: self.poll("python_hand"), "a task")
        saw("polled", reference=task.reference_task_name, status=task.status, worker=task.worker_id, polls=task.poll_count)
        saw("queue size when polled", size=self.tasks.get_queue_size_for_task("python_hand"))
        saw("nothing polled", tasks=len(self.tasks.batch_poll_tasks("python_hand", "by-hand", 5, 10)))
        self.tasks.add_task_log(task.task_id, "a line of log")
        lines = until(lambda: self.tasks.get_task_logs(task.task_id), "the log")
        saw("log", lines=[line.log for line in lines])
        result = TaskResult(workflow_instance_id=run, task_id=task.task_id, worker_id="by-hand", status="COMPLETED")
        result.output_data = {"nested": {"list": [1, None, "x"]}}
        result.logs = [TaskExecLog(log="from the result", task_id=task.task_id, created_time=int(time.time()))]
        saw("updated", same=self.tasks.update_task(result) == task.task_id)
        found = self.tasks.get_task(task.task_id)
        saw("task", status=found.status, output=found.output_data)
        lines = until(lambda: len(logs := self.tasks.get_task_logs(task.task_id)) == 2 and logs, "the second line")
        saw("logs", lines=sorted(line.log for line in lines))
        batch = until(lambda: self.tasks.batch_poll_tasks("python_hand_two", "by-hand", 5, 100), "a batch")
        saw("batch", references=[task.reference_task_name for task in batch])
        done = self.tasks.update_task_sync(run, "two", "COMPLETED", {"last": True})
        saw("updated at once", status=done.status, output=done.output)
        run = self.start("python_hands")
        self.workflows.skip_task_from_workflow(run, "two", SkipTaskRequest())
        task = until(lambda: self.poll("python_hand"), "another task")
        self.tasks.update_task(TaskResult(workflow_instance_id=run, task_id=task.task_id, status="COMPLETED", output_data={}))
        saw("skipped", status=self.ended(run).status, tasks=sorted(task.status for task in self.workflows.get_workflow(run).tasks))

    def poll(self, name):
        task = self.tasks.poll_task(name, worker_id="by-hand")
        return task if task is not None and task.task_id else None

    def signals(self):
        run = self.start("python_waits")
        self.blocked(run, "wait")
        api = self.workflows.taskResourceApi
        api.signal_workflow_task_async(run, "COMPLETED", {"signal": 1})
        self.blocked(run, "again")
        answer = api.signal_workflow_task_sync(run, "COMPLETED", {"signal": 2}, return_strategy="TARGET_WORKFLOW")
        saw("signal", kind=answer.response_type, target=answer.target_workflow_id == run)
        done = self.ended(run)
        saw("signalled", status=done.status, outputs=[task.output_data for task in done.tasks])

    def blocked(self, run, reference):
        def look():
            task = self.workflows.get_workflow(run).tasks[-1:]
            return task and task[0].reference_task_name == reference and task[0].status == "IN_PROGRESS"

        return until(look, f"{reference} in progress")

    def search(self):
        query = "workflowType = 'python_sum' AND correlationId = 'python-sum'"
        found = until(lambda: self.workflows.search(query=query).results, "the run in the index")
        saw("search", results=[[one.workflow_type, one.status, one.correlation_id] for one in found])
        found = self.workflows.search(query="workflowType = 'python_none'", size=1)
        saw("search without hits", results=found.results)
        found = self.workflows.get_by_correlation_ids("python_sum", ["python-sum", "none"], include_completed=True)
        saw("correlated", counts={key: len(runs) for key, runs in found.items()})

    def schedules(self):
        request = SaveScheduleRequest(
            name="python_schedule",
            cron_expression="0 0 * * * ?",
            start_workflow_request=StartWorkflowRequest(name="python_sum", version=1, input={"a": 1, "b": 1}),
            paused=True,
        )
        self.scheduler.save_schedule(request)
        found = self.scheduler.get_schedule("python_schedule")
        saw("schedule", cron=found.cron_expression, paused=found.paused)
        self.scheduler.resume_schedule("python_schedule")
        saw("schedule resumed", paused=bool(self.scheduler.get_schedule("python_schedule").paused))
        self.scheduler.pause_schedule("python_schedule")
        saw("schedule paused", paused=self.scheduler.get_schedule("python_schedule").paused)
        times = self.scheduler.get_next_few_schedule_execution_times("0 0 * * * ?", limit=3)
        saw("next times", count=len(times), apart=[(b - a) // 1000 for a, b in zip(times, times[1:])])
        saw("schedules", names=[one.name for one in self.scheduler.get_all_schedules("python_sum")])
        self.scheduler.delete_schedule("python_schedule")
        refused("schedule deleted", lambda: self.scheduler.get_schedule("python_schedule"))

    def rehearsal(self):
        definition = self.metadata.get_workflow_def("python_sum", version=1)
        mocks = {"first": [{"status": "COMPLETED", "output": {"sum": 9}}], "second": [{"status": "COMPLETED", "output": {"result": "x"}}]}
        request = WorkflowTestRequest(name="python_sum", version=1, workflow_def=definition, input={}, task_ref_to_mock_output=mocks)
        done = self.workflows.test_workflow(request)
        saw("rehearsal", status=done.status, output=done.output)

    def errors(self):
        refused("unknown workflow", lambda: self.start("python_no_such"))
        refused("unknown run", lambda: self.workflows.get_workflow("00000000-0000-4000-8000-000000000000"))
        refused("unknown definition", lambda: self.metadata.get_workflow_def("python_no_such", version=1))
        run = self.start("python_waits")
        refused("resume what is not paused", lambda: self.workflows.resume_workflow(run))
        refused("restart what runs", lambda: self.workflows.restart_workflow(run))
        refused("retry what runs", lambda: self.workflows.retry_workflow(run))
        self.workflows.terminate_workflow(run)
        refused("pause what has ended", lambda: self.workflows.pause_workflow(run))


def main():
    configuration = Configuration()
    with TaskHandler(configuration=configuration, scan_for_annotated_workers=True, monitor_processes=False) as handler:
        handler.start_processes()
        Program(configuration).run()
    saw("end")


if __name__ == "__main__":
    sys.exit(main())
