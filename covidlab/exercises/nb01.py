"""The exercises of notebook 01: a window, and a band of grey."""

from covidlab.exercises.checking import Number

check_haze_window = Number(
    asked="Level and width, HU, of the window in which -850 HU is the end of black and -500 HU is mid-grey.",
    right=(-500, 700),
    praise="the level is what is mid-grey, and from there to black is half a width.",
    otherwise="what is mid-grey is the level; from there down to black is half a width.",
    mistakes={
        "the other way round: the level comes first.": (700, -500),
        "from black to mid-grey is half a width, so the whole is twice as much.": (-500, 350),
        "that is the window of the course. In it black ends at -1250 HU.": (-500, 1500),
        "those are the ends of the window. The level is their middle, the width their distance.": (-850, -150),
        "that starts at the level. The level is the middle of the window.": (-850, 700),
        "that starts at the level, and is half as wide as it should be.": (-850, 350),
        "in that window -500 HU is white. It should be mid-grey.": (-675, 350),
        "the level is negative.": (500, 700),
    },
)  # fmt: skip

check_best_band = Number(
    asked="The ends, HU, of the band with the best F1 on the lesson's cohort; both are multiples of 50 HU.",
    right=(-550, -250),
    praise="no other band of such steps has a higher F1, and yet most of what it marks is healthy.",
    otherwise="another band scores higher. Let one loop run over the lower ends, and one in it over the upper ends.",
    mistakes={
        "the other way round: the lower end comes first.": (-250, -550),
        "that is the band that we began with. There are better ones.": (-700, -200),
        "that is the band with the highest precision. Take the one with the highest F1.": (-400, -350),
        "that band misses nothing, so its recall is highest. Take the one with the highest F1.":
            [(-1250, 250), (-1000, 250)],
        "that is the best in steps of 100 HU. Take steps of 50.": (-600, -200),
        "those are positions in `edges`. Give the CT numbers that stand there.": (14, 20),
    },
)  # fmt: skip
