"""The colours of the pictures that people look at; nothing here changes data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rgb = tuple[int, int, int]

PAPER: Rgb = (248, 246, 241)
FRAME: Rgb = (217, 212, 201)
AREA_FILL: Rgb = (178, 212, 222)
AREA_OUTLINE: Rgb = (42, 104, 130)
LINE: Rgb = (186, 82, 52)
POINT: Rgb = (200, 60, 84)

RAMP: tuple[Rgb, ...] = (
    (38, 42, 92),
    (38, 92, 132),
    (48, 142, 140),
    (104, 186, 122),
    (198, 218, 110),
    (252, 240, 178),
)
"""From low to high values, even in lightness, so that it reads in grey and for the colour-blind."""

CLASS_COLORS: tuple[Rgb, ...] = (
    (86, 134, 176),
    (222, 158, 84),
    (112, 168, 106),
    (196, 100, 96),
    (146, 122, 176),
    (160, 126, 100),
    (214, 150, 182),
    (140, 140, 140),
    (190, 188, 104),
    (98, 182, 190),
    (60, 90, 130),
    (176, 118, 46),
    (66, 120, 70),
    (150, 62, 66),
    (104, 84, 138),
    (116, 88, 68),
)
"""For codes without an order; they repeat when there are more."""


def ramp_colors(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours of values between 0 and 1; one axis more than the input, for red, green, blue."""
    import numpy as np

    stops = np.linspace(0, 1, len(RAMP))
    channels = [np.interp(shares, stops, [color[i] for color in RAMP]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
