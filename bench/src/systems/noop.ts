/** The handler of `queue.executors`, in a module of its own so that threads and processes can load it. */
export default function noop(): void {}
