"""Starts runs and does their steps with conductor-python, as its documentation says.

Says {"ready": true} when its worker works, begins when it is given a line, says {"startedAt", "ids"} when all runs
are started, and ends when its standard input does.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.http.models import StartWorkflowRequest
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.worker_task import worker_task

STARTS_AT_ONCE = 8
THREADS = 20
WARM_UP_RUNS = 10
WARM_UP_SECONDS = 120


@worker_task(task_definition_name="bench_step", thread_count=THREADS, poll_interval_millis=10)
def bench_step(data: str) -> dict:
    return {"data": data}


def say(what):
    print(json.dumps(what), flush=True)


def warm_up(workflows, start):
    """The worker is a process of its own, which takes a while to come up."""
    until = time.monotonic() + WARM_UP_SECONDS
    for run in [start(n) for n in range(WARM_UP_RUNS)]:
        while (status := workflows.get_workflow_status(run).status) != "COMPLETED":
            if status != "RUNNING" or time.monotonic() > until:
                raise RuntimeError(f"a run of the warm-up is {status}")
            time.sleep(0.05)


def main():
    runs, data = int(sys.argv[1]), sys.argv[2]
    configuration = Configuration()
    workflows = OrkesClients(configuration).get_workflow_client()

    def start(_):
        return workflows.start_workflow(StartWorkflowRequest(name="bench_chain", version=1, input={"data": data}))

    with TaskHandler(configuration=configuration, scan_for_annotated_workers=True) as handler:
        handler.start_processes()
        warm_up(workflows, start)
        say({"ready": True})
        sys.stdin.readline()
        started = time.time()
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            ids = list(pool.map(start, range(runs)))
        say({"startedAt": started * 1000, "ids": ids})
        sys.stdin.read()


if __name__ == "__main__":
    main()
