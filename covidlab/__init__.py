"""covidlab: the small tested package under the course on COVID-19 lesion segmentation in chest CT.

Importing it costs next to nothing: TensorFlow is loaded only by the modules that need it
(see `covidlab._tensorflow`). Educational use only; this is not a medical device.
"""

__version__ = "0.1.0"
