class StaggeredSolver:
    def __init__(self,*a,**k): pass
