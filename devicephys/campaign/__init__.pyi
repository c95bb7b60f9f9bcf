from .description import Campaign as Campaign
from .description import Point as Point
from .description import list_campaigns as list_campaigns
from .execution import CampaignResult as CampaignResult
from .execution import CampaignState as CampaignState
from .execution import run as run
from .layout import open_store as open_store
