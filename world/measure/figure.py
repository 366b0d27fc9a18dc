"""One measured figure and the bar that it has to reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A value as a fraction (0.98, not 98), its bar, and the side of the bar on which it should be.

    `bar` is None for a figure that is only reported.
    """

    value: float
    bar: float | None = None
    higher_is_better: bool = True

    @property
    def met(self) -> bool:
        """Whether the bar is reached; a figure without a bar is always met."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.higher_is_better else self.value <= self.bar

    def record(self) -> dict[str, float | bool | None]:
        """The figure as `--json` prints it."""
        return {"value": self.value, "bar": self.bar, "met": self.met}
