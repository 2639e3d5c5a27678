from tests.contracts.bundle import BundleContract


class TestNucleiTissue(BundleContract):
    name = "nuclei_tissue"
    small_channels = (4, 8, 16)
    input_shape = (1, 3, 64, 64)
