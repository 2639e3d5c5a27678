"""What is sent to other processes in place of a recipe."""

import pickle

from cellseg_monai.bundle import RecipeLoader


def test_a_loader_is_one_with_another_that_loads_the_same():
    loader = RecipeLoader("nuclei", channels=["DAPI"], checkpoint="weights.pt")
    other = pickle.loads(pickle.dumps(RecipeLoader("nuclei", channels=("DAPI",), checkpoint="weights.pt")))
    assert {loader: "loaded"}[other] == "loaded"
    assert RecipeLoader("nuclei", channels="DAPI,0") not in {loader}
