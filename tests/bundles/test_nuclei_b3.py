from tests.contracts.bundle import BundleContract


class TestNucleiB3(BundleContract):
    name = "nuclei_b3"
