"""The exercises of notebook 08: GFLOP, 8 bits."""

from covidlab.exercises.checking import Number

_GFLOP = 2 * 9 * 8 * 8 * 640 * 640 / 1e9

check_convolution_gflop = Number(
    asked="GFLOP of a 3 x 3 convolution from 8 to 8 maps at 640 x 640 places, a multiply-add counted as two.",
    right=_GFLOP,
    tolerance=0.015,  # neither biases nor rounding matter; 630 instead of 640 does
    praise="two operations for each weight, at every place.",
    otherwise="multiply weights of the kernels, places, and operations for each weight at each place.",
    mistakes={
        "a multiplication and an addition are two operations.": _GFLOP / 2,
        "that is a kernel of 1 x 1. Here each new number looks at 3 x 3 places.": _GFLOP / 9,
        "a kernel of 3 x 3 has nine weights, not three.": _GFLOP / 3,
        "each of the 8 new maps looks at all 8 old ones.": _GFLOP / 8,
        "that is one place. The kernels are applied at every place of the map.": 2 * 9 * 8 * 8 / 1e9,
        "that is one place, in operations. The kernels are applied at every place.": 2 * 9 * 8 * 8,
        "the slice is padded to 640 x 640, so that four poolings divide it.": _GFLOP * (630 / 640) ** 2,
        "that is a slice of 128 x 128. This one is padded to 640 x 640.": _GFLOP * (128 / 640) ** 2,
        "that divides by 2^30. A GFLOP is 10^9 operations.": _GFLOP * 1e9 / 2**30,
        "that is one row of places. The map has 640 rows.": _GFLOP / 640,
        "that is in operations. A GFLOP is 10^9 of them.": _GFLOP * 1e9,
        "that is in MFLOP. A GFLOP is 10^9 operations.": _GFLOP * 1e3,
    },
)

_WEIGHTS = 486_441

check_int8_megabytes = Number(
    asked="The size of the light U-Net's 486,441 weights alone as 8-bit numbers, in megabytes (10^6 bytes).",
    right=_WEIGHTS / 1e6,
    tolerance=0.03,
    praise="one byte a weight. The file adds names and scales, and keeps biases in 32 bits.",
    otherwise="count the weights, then ask how many bytes one of them takes.",
    mistakes={
        "that is 4 bytes a weight. Eight bits are one byte.": 4 * _WEIGHTS / 1e6,
        "that is 8 bytes a weight. Eight bits are one byte.": 8 * _WEIGHTS / 1e6,
        "that is 2 bytes a weight. Eight bits are one byte.": 2 * _WEIGHTS / 1e6,
        "that is half a byte a weight. Eight bits are one byte.": _WEIGHTS / 2e6,
        "that is one bit a weight. Here each has eight, and eight bits are one byte.": _WEIGHTS / 8e6,
        "that is in units of 2^20 bytes. Here a megabyte is a million bytes.": _WEIGHTS / 2**20,
        "that is in kilobytes. A megabyte is a million bytes.": _WEIGHTS / 1e3,
        "that is in bytes. A megabyte is a million bytes.": _WEIGHTS,
    },
)
