"""Chancy as an agent: the commands of agent-protocol.ts that a drain needs, spoken over Node's IPC channel.

Async executor, eager polling (without it a queue fetches once per polling interval), results written every
100 ms instead of every second, no log line per job, psycopg's C implementation. The setup names the queue's
concurrency.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import time
from importlib.metadata import version

import psycopg
from chancy import Chancy, Job, Queue, Worker

CONFIG = json.loads(sys.argv[1])["config"]
QUEUE = "bench"
SEND_OUTGOING_SECONDS = 0.1
BULK_SIZE = 1000
BULK_CALLS = 4
PROGRESS_SECONDS = 0.005
# A drain ends when the store is empty, not at the next of many polls.
EMPTY_POLL_SECONDS = 0.002

handled = 0


async def noop(**payload):
    global handled
    handled += 1


def open_app():
    log = logging.getLogger("chancy-bench")
    log.setLevel(logging.ERROR)
    return Chancy(CONFIG["url"], log=log)


def make_jobs(first, count):
    return [
        Job(
            func="__main__.noop",
            queue=QUEUE,
            kwargs={
                "n": n,
                "at": 0,
                "to": f"customer-{n}@example.org",
                "template": "order-shipped",
                "note": f"parcel {n} left the depot",
            },
        )
        for n in range(first, first + count)
    ]


class Agent:
    def __init__(self, channel):
        self.channel = channel
        self.app = open_app()
        self.worker = None
        self.reported = 0

    def concurrency(self):
        return int(CONFIG["setup"].split("-")[-1])

    async def settings(self, args):
        return {
            "version": version("chancy"),
            "psycopg": f"{version('psycopg')} ({psycopg.pq.__impl__})",
            "python": sys.version.split()[0],
            "executor": "async",
            "concurrency": self.concurrency(),
            "eager_polling": True,
            "polling_interval": 1,
            "send_outgoing_interval": SEND_OUTGOING_SECONDS,
            "bulk": {"perCall": BULK_SIZE, "calls": BULK_CALLS},
        }

    async def prepare(self, args):
        await self.app.migrate()
        await self.app.declare(
            Queue(
                QUEUE,
                concurrency=self.concurrency(),
                executor=Chancy.Executor.Async,
                eager_polling=True,
                polling_interval=1,
            )
        )

    async def openProducer(self, args):
        await self.app.pool.open()

    async def addAll(self, args):
        jobs = make_jobs(args["from"], args["jobs"])
        start = time.monotonic()
        lanes = [self.push(jobs[lane::BULK_CALLS]) for lane in range(BULK_CALLS)]
        await asyncio.gather(*lanes)
        return {"ms": (time.monotonic() - start) * 1000}

    async def push(self, jobs):
        async for _ in self.app.push_many(jobs, batch_size=BULK_SIZE):
            pass

    async def oneByOne(self, args):
        jobs = make_jobs(args["from"], args["jobs"])
        start = time.monotonic()
        await asyncio.gather(*[self.caller(jobs) for _ in range(args["inFlight"])])
        return {"ms": (time.monotonic() - start) * 1000}

    async def caller(self, jobs):
        while jobs:
            await self.app.push(jobs.pop())

    async def openWorker(self, args):
        await self.app.pool.open()
        self.worker = Worker(self.app, register_signal_handlers=False)
        self.worker.send_outgoing_interval = SEND_OUTGOING_SECONDS

    async def startWorker(self, args):
        global handled
        handled = self.reported = 0
        await self.worker.start()

    async def stopWorker(self, args):
        await self.worker.stop()

    async def waitEmpty(self, args):
        deadline = time.monotonic() + args["timeoutMs"] / 1000
        statement = (
            "select not exists (select from chancy_jobs where queue = %s"
            " and state in ('pending', 'running', 'retrying'))"
        )
        async with self.app.pool.connection() as connection:
            while time.monotonic() < deadline:
                row = await (await connection.execute(statement, [QUEUE])).fetchone()
                await connection.commit()
                if row[0]:
                    return
                await asyncio.sleep(EMPTY_POLL_SECONDS)
        raise TimeoutError(f"still not empty after {args['timeoutMs']} ms")

    def send(self, message):
        self.channel.write((json.dumps(message) + "\n").encode())

    async def report(self):
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if handled != self.reported:
                self.reported = handled
                self.send({"handled": handled})

    async def answer(self, request):
        try:
            command = getattr(self, request["command"])
            self.send({"id": request["id"], "answer": await command(request["args"])})
        except Exception as error:  # whatever it was, the harness should hear of it
            self.send({"id": request["id"], "error": f"{type(error).__name__}: {error}"})


async def main():
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    agent = Agent(writer)
    tasks = {asyncio.create_task(agent.report())}
    while line := await reader.readline():
        task = asyncio.create_task(agent.answer(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    os._exit(0)


asyncio.run(main())
