"""A schedule as what hardware runs, RTL and HLS alike: descriptors, and the image of the memory."""
