"""Starts runs and does their steps with conductor-python, as its documentation says; prints how long it took."""

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


@worker_task(task_definition_name="bench_step", thread_count=THREADS, poll_interval_millis=10)
def bench_step(data: str) -> dict:
    return {"data": data}


def main():
    runs, data = int(sys.argv[1]), sys.argv[2]
    configuration = Configuration()
    workflows = OrkesClients(configuration).get_workflow_client()

    def start(_):
        return workflows.start_workflow(StartWorkflowRequest(name="bench_chain", version=1, input={"data": data}))

    with TaskHandler(configuration=configuration, scan_for_annotated_workers=True, monitor_processes=False) as handler:
        handler.start_processes()
        started = time.monotonic()
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            ids = list(pool.map(start, range(runs)))
        # The last one started ends last or nearly so: the others are asked once.
        for run in reversed(ids):
            while workflows.get_workflow_status(run).status != "COMPLETED":
                time.sleep(0.02)
        seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
