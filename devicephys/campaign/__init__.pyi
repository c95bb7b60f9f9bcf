from .description import Campaign as Campaign
from .description import Point as Point
from .execution import CampaignResult as CampaignResult
from .execution import Run as Run
from .execution import State as State
from .execution import run as run
from .file import list_campaigns as list_campaigns
from .layout import open_store as open_store
