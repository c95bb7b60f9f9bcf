from . import article as article
from . import pipeline as pipeline
from . import studies as studies
