"""Objects of maps that do not fit into memory, made block by block, with the ids that the whole image would give.

`label_in_blocks` makes four passes over the blocks of an image:

1. Each block reports its background components. Joined across the seams between blocks, they tell holes from the
   background outside.
2. Each block divides the components of the foreground that lie within it. Components that touch a seam wait.
3. The components that wait are joined across seams, read in the box around them, and divided whole.
4. Each block writes its final ids, and the objects that cross its seams over the components that waited.

The result is exactly that of the whole image. Overlapping blocks and a vote would only come close to it. Exactness is
possible because what a component of the foreground becomes depends on that component alone, so the functions that
divide a whole image also divide a block, and a component read in its box. scikit-image's watershed alone would not do:
the order in which it floods pixels of one height depends on what else is in its queue. `watershed.grow_seeds` gives
them an order of their own.

The price: confluent tissue is a single component whose box is the image, so it needs the memory of the whole image.
Objects that cross seams are kept as runs of pixels until the last pass, so that blocks are not written twice.

`one_block` is what is done with one block: functions of arrays and a place, which threads, processes or a cluster can
call. `grid` and `seams` join what the blocks return, `frames` brings objects to the size of the image.
"""

from cellseg_monai.decoding.blockwise.label import label_in_blocks

__all__ = ["label_in_blocks"]
