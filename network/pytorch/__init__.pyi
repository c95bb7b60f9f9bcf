from .module import DDKModule as DDKModule
