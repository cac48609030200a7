// What a Go user does with conductor-go; prints what it saw, a JSON object a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/antihax/optional"
	"github.com/conductor-sdk/conductor-go/sdk/client"
	"github.com/conductor-sdk/conductor-go/sdk/model"
	"github.com/conductor-sdk/conductor-go/sdk/settings"
	"github.com/conductor-sdk/conductor-go/sdk/worker"
	"github.com/conductor-sdk/conductor-go/sdk/workflow"
	"github.com/conductor-sdk/conductor-go/sdk/workflow/executor"
	log "github.com/sirupsen/logrus"
)

type facts map[string]any

const wait = 90 * time.Second

var (
	ctx       = context.Background()
	api       = client.NewAPIClient(nil, settings.NewHttpSettings(os.Getenv("CONDUCTOR_SERVER_URL")))
	flows     = executor.NewWorkflowExecutor(api)
	workflows = client.NewWorkflowClient(api)
	tasks     = client.NewTaskClient(api)
	metadata  = client.NewMetadataClient(api)
	scheduler = client.NewSchedulerClient(api)
)

func main() {
	log.SetOutput(io.Discard)
	definitions()
	runner := worker.NewTaskRunnerWithApiClient(api)
	startWorkers(runner)
	runs()
	control()
	byHand()
	search()
	schedules()
	refusals()
	saw("end", nil)
}

func saw(what string, seen facts) {
	line := facts{"saw": what}
	for key, value := range seen {
		line[key] = value
	}
	text, err := json.Marshal(line)
	must(err)
	fmt.Println(string(text))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func refused(what string, err error) {
	var known client.GenericSwaggerError
	seen := facts{"refused": err != nil}
	if errors.As(err, &known) {
		seen["status"] = known.StatusCode()
	}
	saw(what, seen)
}

func until(what string, look func() bool) {
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if look() {
			return
		}
	}
	panic("waited too long for " + what)
}

func ended(run string) *model.Workflow {
	var found *model.Workflow
	until("the end of "+run, func() bool {
		read, err := flows.GetWorkflow(run, true)
		must(err)
		found = read
		return read.Status != "RUNNING" && read.Status != "PAUSED"
	})
	return found
}

func start(name string, input any, more func(*model.StartWorkflowRequest)) string {
	request := model.StartWorkflowRequest{Name: name, Version: 1, Input: input}
	if more != nil {
		more(&request)
	}
	run, err := flows.StartWorkflow(&request)
	must(err)
	return run
}

func statuses(run *model.Workflow) []string {
	list := []string{}
	for _, task := range run.Tasks {
		list = append(list, string(task.Status))
	}
	return list
}

func define(name string, list ...workflow.TaskInterface) *workflow.ConductorWorkflow {
	flow := workflow.NewConductorWorkflow(flows).Name(name).Version(1).OwnerEmail("a@example.org")
	for _, task := range list {
		flow.Add(task)
	}
	return flow
}

func definitions() {
	for _, name := range []string{"add", "text", "stumble", "refuse", "domain", "hand", "hand_two"} {
		definition := model.TaskDef{
			Name: "go_" + name, RetryCount: 1, RetryDelaySeconds: 1, TimeoutSeconds: 120,
			ResponseTimeoutSeconds: 60, OwnerEmail: "a@example.org", BackoffScaleFactor: 1,
		}
		_, err := metadata.RegisterTaskDef(ctx, []model.TaskDef{definition})
		must(err)
	}
	found, _, err := metadata.GetTaskDef(ctx, "go_add")
	must(err)
	saw("task definition", facts{"retries": found.RetryCount})

	first := workflow.NewSimpleTask("go_add", "first").Input("a", "${workflow.input.a}").Input("b", "${workflow.input.b}")
	second := workflow.NewSimpleTask("go_text", "second").Input("n", first.OutputRef("sum"))
	third := workflow.NewSimpleTask("go_add", "third").Input("a", 100).Input("b", first.OutputRef("sum"))
	choose := workflow.NewSwitchTask("choose", "${workflow.input.more}").SwitchCase("yes", third)
	output := map[string]any{"sum": first.OutputRef("sum"), "text": second.OutputRef("text")}
	must(define("go_sum", first, second, choose).OutputParameters(output).Register(true))
	read, _, err := metadata.Get(ctx, "go_sum", &client.MetadataResourceApiGetOpts{Version: optional.NewInt32(1)})
	must(err)
	types := []string{}
	for _, task := range read.Tasks {
		types = append(types, task.Type_)
	}
	saw("workflow definition", facts{"name": read.Name, "version": read.Version, "tasks": types})

	must(define("go_stumbles", workflow.NewSimpleTask("go_stumble", "oops").Input("n", 7)).Register(true))
	must(define("go_refused", workflow.NewSimpleTask("go_refuse", "no")).Register(true))
	must(define("go_in_domain", workflow.NewSimpleTask("go_domain", "there")).Register(true))
	must(define("go_hands", workflow.NewSimpleTask("go_hand", "one"), workflow.NewSimpleTask("go_hand_two", "two")).Register(true))
	must(define("go_waits", workflow.NewWaitTask("wait"), workflow.NewWaitTask("again")).Register(true))
	must(define("go_short", workflow.NewWaitForDurationTask("pause", time.Second)).Register(true))
	branch := func(name string, n int) []workflow.TaskInterface {
		return []workflow.TaskInterface{workflow.NewSimpleTask("go_add", name).Input("a", n).Input("b", 1)}
	}
	join := workflow.NewJoinTask("meet", "b1", "b2")
	must(define("go_fork", workflow.NewForkTaskWithJoin("split", join, branch("b1", 1), branch("b2", 2))).Register(true))
}

func number(task *model.Task, key string) float64 {
	value, _ := task.InputData[key].(float64)
	return value
}

func startWorkers(runner *worker.TaskRunner) {
	every := 20 * time.Millisecond
	must(runner.StartWorker("go_add", func(task *model.Task) (any, error) {
		return facts{"sum": number(task, "a") + number(task, "b")}, nil
	}, 3, every))
	must(runner.StartWorker("go_text", func(task *model.Task) (any, error) {
		result := model.NewTaskResultFromTask(task)
		result.Status = model.CompletedTask
		result.OutputData = map[string]any{"text": fmt.Sprintf("<%v>", task.InputData["n"])}
		result.Logs = []model.TaskExecLog{{Log: "written", TaskId: task.TaskId}}
		return result, nil
	}, 1, every))
	must(runner.StartWorker("go_stumble", func(task *model.Task) (any, error) {
		return nil, fmt.Errorf("stumbled over %v", task.InputData["n"])
	}, 1, every))
	must(runner.StartWorker("go_refuse", func(task *model.Task) (any, error) {
		return nil, model.NewNonRetryableError(errors.New("never again"))
	}, 1, every))
	must(runner.StartWorkerWithDomain("go_domain", func(task *model.Task) (any, error) {
		return facts{"domain": task.Domain}, nil
	}, 1, every, "cool"))
}

func runs() {
	run := ended(start("go_sum", facts{"a": 1, "b": 2, "more": "yes"}, func(request *model.StartWorkflowRequest) {
		request.CorrelationId = "go-sum"
		request.Priority = 5
	}))
	names := [][]string{}
	for _, task := range run.Tasks {
		names = append(names, []string{task.ReferenceTaskName, task.TaskType, string(task.Status)})
	}
	saw("run", facts{"status": run.Status, "output": run.Output, "priority": run.Priority, "tasks": names})
	logs, _, err := tasks.GetTaskLogs(ctx, run.Tasks[1].TaskId)
	must(err)
	saw("logs", facts{"count": len(logs)})
	for _, name := range []string{"go_stumbles", "go_refused"} {
		failed := ended(start(name, facts{}, nil))
		reason := failed.Tasks[len(failed.Tasks)-1].ReasonForIncompletion
		saw(name, facts{"status": failed.Status, "tasks": statuses(failed), "reason": reason})
	}
	there := ended(start("go_in_domain", facts{}, func(request *model.StartWorkflowRequest) {
		request.TaskToDomain = map[string]string{"go_domain": "cool"}
	}))
	saw("domain", facts{"status": there.Status, "output": there.Output})
	fork := ended(start("go_fork", facts{}, nil))
	saw("fork", facts{"status": fork.Status, "joined": fork.Tasks[len(fork.Tasks)-1].OutputData})
	executed, err := flows.ExecuteWorkflow(&model.StartWorkflowRequest{Name: "go_sum", Version: 1, Input: facts{"a": 5, "b": 6}}, "")
	must(err)
	saw("executed", facts{"status": executed.Status, "output": executed.Output})
	saw("waited", facts{"status": ended(start("go_short", facts{}, nil)).Status})
	requests := []*model.StartWorkflowRequest{}
	for n := 0; n < 5; n++ {
		requests = append(requests, &model.StartWorkflowRequest{Name: "go_sum", Version: 1, Input: facts{"a": n, "b": n}})
	}
	sums := []any{}
	for _, running := range flows.StartWorkflows(false, requests...) {
		must(running.Err)
		sums = append(sums, ended(running.WorkflowId).Output["sum"])
	}
	saw("many", facts{"sums": sums})
	data, _, err := tasks.GetPollData(ctx, "go_add")
	must(err)
	saw("poll data", facts{"queue": data[0].QueueName})
}

func blocked(run string, reference string) {
	until(reference+" in progress", func() bool {
		read, err := flows.GetWorkflow(run, true)
		must(err)
		if len(read.Tasks) == 0 {
			return false
		}
		last := read.Tasks[len(read.Tasks)-1]
		return last.ReferenceTaskName == reference && last.Status == "IN_PROGRESS"
	})
}

func control() {
	run := start("go_waits", facts{}, nil)
	status := func() any {
		read, err := flows.GetWorkflow(run, false)
		must(err)
		return read.Status
	}
	blocked(run, "wait")
	must(flows.Pause(run))
	saw("paused", facts{"status": status()})
	must(flows.Resume(run))
	saw("resumed", facts{"status": status()})
	must(flows.Terminate(run, "enough"))
	stopped := ended(run)
	saw("terminated", facts{"status": stopped.Status, "reason": stopped.ReasonForIncompletion, "tasks": statuses(stopped)})
	must(flows.Restart(run, false))
	saw("restarted", facts{"status": status()})
	must(flows.Terminate(run, "again"))
	must(flows.Retry(run, false))
	saw("retried", facts{"status": status()})
	must(flows.Terminate(run, "again"))
	id, err := flows.ReRun(run, model.RerunWorkflowRequest{})
	must(err)
	saw("rerun", facts{"same": id == run, "status": status()})
	blocked(run, "wait")
	must(flows.UpdateTaskByRefName("wait", run, model.CompletedTask, map[string]any{"by": "reference"}))
	state, err := flows.GetWorkflowStatus(run, true, true)
	must(err)
	saw("status", facts{"status": state.Status, "same": state.WorkflowId == run})
	must(flows.Terminate(run, "at last"))
	must(flows.RemoveWorkflow(run))
	_, _, err = workflows.GetExecutionStatus(ctx, run, nil)
	refused("deleted", err)
}

func byHand() {
	run := start("go_hands", facts{}, nil)
	sizes, _, err := tasks.Size(ctx, &client.TaskResourceApiSizeOpts{TaskType: optional.NewInterface([]string{"go_hand"})})
	must(err)
	saw("queue size", facts{"sizes": sizes})
	var task model.Task
	until("a task", func() bool {
		polled, response, err := tasks.Poll(ctx, "go_hand", &client.TaskResourceApiPollOpts{Workerid: optional.NewString("by-hand")})
		task = polled
		return err == nil && response.StatusCode == 200
	})
	saw("polled", facts{"reference": task.ReferenceTaskName, "status": task.Status, "worker": task.WorkerId})
	_, err = tasks.Log(ctx, "a line of log", task.TaskId)
	must(err)
	until("the log", func() bool {
		logs, _, err := tasks.GetTaskLogs(ctx, task.TaskId)
		return err == nil && len(logs) == 1
	})
	must(flows.UpdateTask(task.TaskId, run, model.CompletedTask, map[string]any{"nested": []any{1, nil, "x"}}))
	read, err := flows.GetTask(task.TaskId)
	must(err)
	saw("task", facts{"status": read.Status, "output": read.OutputData})
	batch, _, err := tasks.BatchPoll(ctx, "go_hand_two", &client.TaskResourceApiBatchPollOpts{
		Count: optional.NewInt32(5), Timeout: optional.NewInt32(1000), Workerid: optional.NewString("by-hand"),
	})
	must(err)
	must(flows.UpdateTask(batch[0].TaskId, run, model.CompletedTask, map[string]any{"last": true}))
	saw("batch", facts{"count": len(batch), "status": ended(run).Status})
	other := start("go_hands", facts{}, nil)
	must(flows.SkipTasksFromWorkflow(other, "two", model.SkipTaskRequest{}))
	must(flows.UpdateTaskByRefName("one", other, model.CompletedTask, map[string]any{}))
	skipped := ended(other)
	ended := statuses(skipped)
	sort.Strings(ended)
	saw("skipped", facts{"status": skipped.Status, "tasks": ended})
}

func search() {
	query := "workflowType = 'go_sum' AND correlationId = 'go-sum'"
	until("the run in the index", func() bool {
		found, err := flows.Search(0, 10, query, "*")
		return err == nil && len(found) > 0
	})
	found, err := flows.Search(0, 10, query, "*")
	must(err)
	saw("search", facts{"count": len(found), "type": found[0].WorkflowType, "status": found[0].Status})
	correlated, err := flows.GetByCorrelationIds("go_sum", true, false, "go-sum", "none")
	must(err)
	saw("correlated", facts{"found": len(correlated["go-sum"]), "none": len(correlated["none"])})
}

func schedules() {
	_, _, err := scheduler.SaveSchedule(ctx, model.SaveScheduleRequest{
		Name: "go_schedule", CronExpression: "0 0 * * * ?", Paused: true,
		StartWorkflowRequest: &model.StartWorkflowRequest{Name: "go_sum", Version: 1, Input: facts{"a": 1, "b": 1}},
	})
	must(err)
	read, _, err := scheduler.GetSchedule(ctx, "go_schedule")
	must(err)
	saw("schedule", facts{"cron": read.CronExpression, "paused": read.Paused})
	times, _, err := scheduler.GetNextFewSchedules(ctx, "0 0 * * * ?", &client.SchedulerResourceApiGetNextFewSchedulesOpts{Limit: optional.NewInt32(3)})
	must(err)
	saw("next times", facts{"count": len(times), "apart": times[1] - times[0]})
	_, _, err = scheduler.DeleteSchedule(ctx, "go_schedule")
	must(err)
	_, _, err = scheduler.GetSchedule(ctx, "go_schedule")
	refused("schedule deleted", err)
}

func refusals() {
	_, err := flows.StartWorkflow(&model.StartWorkflowRequest{Name: "go_no_such", Version: 1, Input: facts{}})
	refused("unknown workflow", err)
	_, _, err = workflows.GetExecutionStatus(ctx, "00000000-0000-4000-8000-000000000000", nil)
	refused("unknown run", err)
	_, _, err = metadata.Get(ctx, "go_no_such", nil)
	refused("unknown definition", err)
	run := start("go_waits", facts{}, nil)
	refused("resume what is not paused", flows.Resume(run))
	refused("restart what runs", flows.Restart(run, false))
	must(flows.Terminate(run, "done"))
	refused("pause what has ended", flows.Pause(run))
}
