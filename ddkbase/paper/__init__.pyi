from .request import PaperStyle as PaperStyle
from .request import chosen_panels as chosen_panels
from .request import paper_style as paper_style
from .saving import figure_data as figure_data
from .saving import save_for_paper as save_for_paper
from .saving import save_picture as save_picture
from .saving import save_pictures as save_pictures
