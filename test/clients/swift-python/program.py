"""What a Python user does with swift-conductor-client; prints what it saw, a JSON object a line."""

import json
import os
import sys
import time

from swift_conductor.automation.worker_host import WorkerHost
from swift_conductor.clients.metadata_client import MetadataClient
from swift_conductor.clients.task_client import TaskClient
from swift_conductor.clients.workflow_client import WorkflowClient
from swift_conductor.configuration import Configuration
from swift_conductor.exceptions.api_error import APIError
from swift_conductor.http.models import StartWorkflowRequest, Task, TaskDef, TaskResult
from swift_conductor.http.models.rerun_workflow_request import RerunWorkflowRequest
from swift_conductor.http.models.workflow_test_request import WorkflowTestRequest
from swift_conductor.http.rest import ApiException
from swift_conductor.task.custom_task import CustomTask
from swift_conductor.task.human_task import HumanTask
from swift_conductor.task.switch_task import SwitchTask
from swift_conductor.worker.worker_abc import WorkerAbc
from swift_conductor.worker.worker_impl import WorkerImpl
from swift_conductor.workflow.workflow_builder import WorkflowBuilder
from swift_conductor.workflow.workflow_manager import WorkflowManager

WAIT_SECONDS = 90


def add(task: Task) -> TaskResult:
    result = TaskResult(task_id=task.task_id, workflow_instance_id=task.workflow_instance_id, worker_id="swift")
    result.status = "COMPLETED"
    result.output_data = {"sum": task.input_data["a"] + task.input_data["b"]}
    return result


def stumble(task: Task) -> TaskResult:
    raise ValueError(f"stumbled over {task.input_data['n']}")


class TextWorker(WorkerAbc):
    def execute(self, task: Task) -> TaskResult:
        result = self.get_task_result_from_task(task)
        result.add_output_data("text", f"<{task.input_data['n']}>")
        result.status = "COMPLETED"
        return result

    def get_polling_interval_in_seconds(self) -> float:
        return 0.05


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
    except (ApiException, APIError) as error:
        saw(what, refused=True)


class Program:
    def __init__(self, configuration):
        self.workflows = WorkflowClient(configuration)
        self.tasks = TaskClient(configuration)
        self.metadata = MetadataClient(configuration)
        self.manager = WorkflowManager(configuration)

    def ended(self, run):
        def look():
            found = self.workflows.get_workflow(run, True)
            return found if found.status in ("COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT") else None

        return until(look, f"the end of {run}")

    def start(self, name, values=None, **more):
        return self.workflows.start_workflow(StartWorkflowRequest(name=name, version=1, input=values or {}, **more))

    def run(self):
        self.definitions()
        self.workers()
        self.control()
        self.one_task_by_hand()
        self.search()
        self.rehearsal()
        self.errors()

    def register(self, name, *tasks):
        builder = WorkflowBuilder(name=name, version=1, description="of a test")
        for task in tasks:
            builder >> task
        builder.owner_email("a@example.org")
        self.metadata.update_workflow_def(builder.to_workflow_def())

    def definitions(self):
        for name in ("add", "text", "stumble", "hand", "hand_two"):
            limits = {"retry_count": 1, "retry_delay_seconds": 0, "timeout_seconds": 120, "response_timeout_seconds": 60}
            self.metadata.register_task_def(TaskDef(name=f"swift_{name}", owner_email="a@example.org", **limits))
        found = self.metadata.get_task_def("swift_add")
        saw("task definition", retries=found.retry_count if hasattr(found, "retry_count") else found["retryCount"])
        first = CustomTask("swift_add", "first").input("a", "${workflow.input.a}").input("b", "${workflow.input.b}")
        second = CustomTask("swift_text", "second").input("n", "${first.output.sum}")
        choose = SwitchTask("choose", "${workflow.input.more}")
        choose.switch_case("yes", [CustomTask("swift_add", "third").input("a", "${first.output.sum}").input("b", 100)])
        self.register("swift_sum", first, second, choose)
        read = self.metadata.get_workflow_def("swift_sum", version=1)
        saw("workflow definition", name=read.name, version=read.version, tasks=[task.type for task in read.tasks])
        self.register("swift_stumbles", CustomTask("swift_stumble", "oops").input("n", 7))
        self.register("swift_hands", CustomTask("swift_hand", "one"), CustomTask("swift_hand_two", "two"))
        self.register("swift_waits", HumanTask("wait"), HumanTask("again"))
        names = {definition.name for definition in self.metadata.get_all_workflow_defs()}
        saw("workflow definitions", known="swift_sum" in names and "swift_waits" in names)

    def workers(self):
        run = self.start("swift_sum", {"a": 1, "b": 2, "more": "yes"}, correlation_id="swift-sum", priority=5)
        done = self.ended(run)
        saw("run", status=done.status, priority=done.priority, tasks=[
            [task.reference_task_name, task.task_type, task.status, task.output_data] for task in done.tasks
        ])
        run = self.workflows.start_workflow_by_name("swift_sum", {"a": 3, "b": 4}, 1, "by-name", 2)
        done = self.ended(run)
        saw("run by name", status=done.status, correlation=done.correlation_id, tasks=len(done.tasks))
        done = self.ended(self.start("swift_stumbles"))
        saw("stumbled", status=done.status, tasks=[task.status for task in done.tasks], reason=done.tasks[-1].reason_for_incompletion)

    def control(self):
        run = self.start("swift_waits", correlation_id="swift-control")
        until(lambda: self.workflows.get_workflow(run).tasks, "the wait")
        self.workflows.pause_workflow(run)
        saw("paused", status=self.workflows.get_workflow(run, False).status)
        self.workflows.resumeWorkflow(run)
        saw("resumed", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run, "enough")
        done = self.workflows.get_workflow(run)
        saw("terminated", status=done.status, reason=done.reason_for_incompletion, tasks=[task.status for task in done.tasks])
        self.workflows.restart_workflow(run)
        saw("restarted", status=self.workflows.get_workflow(run).status)
        self.manager.terminate(run)
        self.workflows.retry_workflow(run)
        saw("retried", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run)
        self.workflows.rerun_workflow(run, RerunWorkflowRequest())
        saw("rerun", status=self.workflows.get_workflow(run).status)
        self.workflows.terminate_workflow(run)
        self.workflows.delete_workflow(run)
        refused("deleted", lambda: self.workflows.get_workflow(run))

    def one_task_by_hand(self):
        run = self.start("swift_hands")
        saw("queue size", size=self.tasks.get_queue_size_for_task("swift_hand"))
        task = until(lambda: self.tasks.poll_task("swift_hand", "by-hand"), "a task")
        saw("polled", reference=task.reference_task_name, status=task.status, worker=task.worker_id, polls=task.poll_count)
        saw("queue size when polled", size=self.tasks.get_queue_size_for_task("swift_hand"))
        self.tasks.add_task_log(task.task_id, "a line of log")
        lines = until(lambda: self.tasks.get_task_logs(task.task_id), "the log")
        saw("log", lines=[line.log for line in lines])
        result = TaskResult(workflow_instance_id=run, task_id=task.task_id, worker_id="by-hand", status="COMPLETED")
        result.output_data = {"nested": {"list": [1, None, "x"]}}
        saw("updated", same=self.tasks.update_task(result) == task.task_id)
        found = self.tasks.get_task(task.task_id)
        saw("task", status=found.status, output=found.output_data)
        batch = until(lambda: self.tasks.batch_poll_tasks("swift_hand_two", "by-hand", 5, 100), "a batch")
        saw("batch", references=[task.reference_task_name for task in batch])
        saw("task is updated", same=self.manager.update_task(batch[0].task_id, run, {"last": True}, "COMPLETED") == batch[0].task_id)
        saw("end", status=self.ended(run).status)
        run = self.start("swift_hands")
        self.workflows.skip_task_from_workflow(run, "two")
        task = until(lambda: self.tasks.poll_task("swift_hand"), "another task")
        self.tasks.update_task(TaskResult(workflow_instance_id=run, task_id=task.task_id, status="COMPLETED", output_data={}))
        saw("skipped", status=self.ended(run).status, tasks=sorted(task.status for task in self.workflows.get_workflow(run).tasks))

    def search(self):
        query = "workflowType = 'swift_sum' AND correlationId = 'swift-sum'"
        found = until(lambda: (self.manager.search(query=query).results), "the run in the index")
        saw("search", results=[[one.workflow_type, one.status, one.correlation_id] for one in found])
        found = self.manager.get_by_correlation_ids("swift_sum", ["swift-sum", "none"], True, False)
        saw("correlated", counts={key: len(runs) for key, runs in found.items()})

    def rehearsal(self):
        definition = self.metadata.get_workflow_def("swift_sum", version=1)
        mocks = {
            "first": [{"status": "COMPLETED", "output": {"sum": 9}}],
            "second": [{"status": "COMPLETED", "output": {"text": "x"}}],
        }
        request = WorkflowTestRequest(name="swift_sum", version=1, workflow_def=definition, input={}, task_ref_to_mock_output=mocks)
        done = self.workflows.test_workflow(request)
        saw("rehearsal", status=done.status, tasks=[task.output_data for task in done.tasks])

    def errors(self):
        refused("unknown workflow", lambda: self.start("swift_no_such"))
        refused("unknown definition", lambda: self.metadata.get_workflow_def("swift_no_such", version=1))
        refused("unknown task definition", lambda: self.metadata.get_task_def("swift_no_such"))
        run = self.start("swift_waits")
        refused("restart what runs", lambda: self.workflows.restart_workflow(run))
        refused("retry what runs", lambda: self.workflows.retry_workflow(run))
        self.workflows.terminate_workflow(run)
        refused("pause what has ended", lambda: self.workflows.pause_workflow(run))


def main():
    configuration = Configuration(server_api_url=os.environ["CONDUCTOR_SERVER_URL"])
    workers = [
        WorkerImpl("swift_add", add, poll_interval=50, worker_id="swift"),
        WorkerImpl("swift_stumble", stumble, poll_interval=50),
        TextWorker("swift_text"),
    ]
    with WorkerHost(workers, configuration) as host:
        host.start_processes()
        Program(configuration).run()
    saw("end")


if __name__ == "__main__":
    sys.exit(main())
