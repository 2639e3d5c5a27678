"""Label images that do not fit into memory, block by block, with the same ids as for the whole image.

`label_in_blocks` makes four passes over the blocks of an image:

1. Find the background components of each block and join them across the seams between blocks. This separates holes
   from the background around the objects.
2. Divide the foreground components that lie within each block. Components that touch a seam are left for the next pass.
3. Join the components that touch seams, read the maps in the boxes around them, and divide them as a whole.
4. Write the final ids of each block, including the objects that cross its seams.

The result is identical to that for the whole image; overlapping blocks and a vote would only approximate it. It is
identical because the division of a foreground component depends only on that component. The functions that divide a
whole image can therefore also divide a block, or the box around a component. scikit-image's watershed is not enough for
this, because the order in which it floods pixels of equal height depends on the rest of its queue.
`watershed.grow_seeds` makes the order independent of the queue.

The drawback is that confluent tissue is a single component whose box is the whole image, so it needs as much memory as
the whole image. Objects that cross seams are kept as runs of pixels until the last pass, so that no block is written
twice.

`one_block` contains the work on a single block: functions of arrays and a position, which threads, processes or a
cluster can call. `grid` and `seams` join the results from the blocks, and `frames` resizes the labels to the size of
the image.
"""

from cellseg_monai.decoding.blockwise.label import label_in_blocks

__all__ = ["label_in_blocks"]
