from tests.contracts.bundle import BundleContract


class TestCellsPhase(BundleContract):
    name = "cells_phase"
    small_channels = (4, 8, 16)
