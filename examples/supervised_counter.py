"""A counter that does not mind being fed rubbish: `python examples/supervised_counter.py`."""

import threading

from actors.supervision import Actor, Event, SupervisorSpec, handles, start_tree, worker

all_counted = threading.Event()


class Counter(Actor):
    """Counts texts that are numbers, and fails at others."""

    @handles(str)
    def count(self, text: str) -> None:
        """Count one text. Raise `ValueError` if it is no number."""
        print(f"incarnation {self.incarnation} counts {int(text)}")
        if text == "3":
            all_counted.set()


def report(event: Event) -> None:
    """Print what the supervisor reports."""
    print(f"  {type(event).__name__} {event.address}#{event.incarnation}")


if __name__ == "__main__":
    tree = start_tree(SupervisorSpec("shop", children=(worker("till", Counter),)), on_event=report)
    for text in ("1", "2", "two and a half", "3"):
        tree.directory.deliver("shop/till/", text)
    all_counted.wait()
    tree.stop()
    tree.drain_events()
