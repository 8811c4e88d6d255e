"""The worker processes of a runtime: the shared ones, and those hired by single actors."""

from actors.platform.workers import Worker

SCREEN_SECONDS = 10.0
"""The limit of processor time for judging one screen. A tenth of a second is usual."""
SCREEN_PATIENCE = 120.0
"""The limit by the clock for judging one screen. It computes only, but a machine may be busy."""

FORECAST_SECONDS = 60.0
"""The time limit for a trial merge of two branches."""


def screens_worker() -> Worker:
    """Return a worker that judges screens."""
    return Worker("screens", SCREEN_PATIENCE, SCREEN_SECONDS)


class WorkerPool:
    """All worker processes of one runtime, so that its end can end them. Any thread.

    `screens` judges terminal screens, `forecasts` makes trial merges; all actors share these two.
    """

    def __init__(self) -> None:
        self.screens = screens_worker()
        self.forecasts = Worker("forecasts", FORECAST_SECONDS)
        self._workers: set[Worker] = {self.screens, self.forecasts}

    def hire(self, name: str, limit: float) -> Worker:
        """Return a worker for one actor. A call to it may take `limit` seconds.

        The actor calls `dismiss` when it needs the worker no longer.
        """
        worker = Worker(name, limit)
        self._workers.add(worker)
        return worker

    def dismiss(self, worker: Worker) -> None:
        """End a hired worker's process."""
        worker.close()
        self._workers.discard(worker)

    def close(self) -> None:
        """End the processes of all workers, also of those that were not dismissed."""
        for worker in list(self._workers):
            worker.close()
