// Types that every design shares: they do not depend on a design's parameters.
package cd_types_pkg;

  // One tile for a PE array: a convolution of what the input and weight buffers hold.
  //
  // Channels are stored in words of N = max(Rows, Cols) lanes. In the input buffer, word
  //   ib_base + (c / N * in_h + h) * in_w + w
  // holds channels c / N * N + lane of pixel (h, w). The array forms the outputs p x q x k into accumulator words
  //   ab_base + (k / N * p + row) * q + col,
  // from input pixel h = row * stride_h + r * dilation_h - pad_top (w likewise); a pixel outside in_h x in_w is 0.
  // The order of the weight words is the array's own (its packing twin in Python writes them in that order).
  typedef struct packed {
    logic [15:0] k;           // output channels
    logic [15:0] c;           // input channels
    logic [15:0] p;           // output rows
    logic [15:0] q;           // output columns
    logic [7:0]  r;           // filter rows
    logic [7:0]  s;           // filter columns
    logic [7:0]  stride_h;
    logic [7:0]  stride_w;
    logic [7:0]  dilation_h;
    logic [7:0]  dilation_w;
    logic [7:0]  pad_top;     // rows of zeros above the first stored row
    logic [7:0]  pad_left;
    logic [15:0] in_h;        // stored input rows
    logic [15:0] in_w;        // stored input columns
    logic        accumulate;  // 1: add to the accumulators; 0: the first partial sum overwrites them
    logic [19:0] ib_base;
    logic [19:0] wb_base;
    logic [19:0] ab_base;
  } tile_cmd_t;

endpackage
