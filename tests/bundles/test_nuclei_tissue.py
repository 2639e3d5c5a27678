from tests.contracts.bundle import BundleContract


class TestNucleiTissue(BundleContract):
    name = "nuclei_tissue"
    small_channels = (4, 8, 16)
