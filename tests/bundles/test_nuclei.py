from tests.contracts.bundle import BundleContract


class TestNuclei(BundleContract):
    name = "nuclei"
    small_channels = (4, 8, 16)
