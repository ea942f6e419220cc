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
    logic        dual;        // weights of half the width, 2 * Cols output channels a pass (arrays with DualRate)
    logic [3:0]  kept;        // filter taps of each reduction block, a header names each (arrays with TapSkip); 0: all
    logic [19:0] ib_base;
    logic [21:0] wb_base;     // counts words of Cols weights, of which a stored one may hold several
    logic [19:0] ab_base;
  } tile_cmd_t;

  // ---- Descriptors: 32 bytes each. An all-zero descriptor is illegal. What the commands of a layer share comes once, in
  // front of them (layer_t, constants_t); the sequencer keeps it and completes each command with it. ----

  localparam int unsigned DescriptorBytes = 32;

  // Bytes of the widest word that the load unit writes; at least a beat.
  function automatic int unsigned load_bytes(input int unsigned act, input int unsigned wgt, input int unsigned axi);
    load_bytes = DescriptorBytes;
    if (act > load_bytes) load_bytes = act;
    if (wgt > load_bytes) load_bytes = wgt;
    if (axi > load_bytes) load_bytes = axi;
  endfunction

  typedef enum logic [3:0] {
    OpLoad      = 4'd1,
    OpCompute   = 4'd2,
    OpDrain     = 4'd3,
    OpStore     = 4'd4,
    OpEnd       = 4'd5,
    OpLayer     = 4'd6,
    OpConstants = 4'd7
  } opcode_e;

  // Buffers in memory, each with a base register; a transfer's address counts from the base of its own.
  typedef enum logic [2:0] {
    RegProgram     = 3'd0,
    RegWeights     = 3'd1,
    RegActivations = 3'd2,
    RegInput       = 3'd3,
    RegOutput      = 3'd4
  } region_e;
  typedef logic [4:0][39:0] bases_t;   // of the regions, in their order

  typedef struct packed {
    logic [31:0]  number;    // of the program that it belongs to
    logic [183:0] body;      // one of the types below, in the low bits
    logic [15:0]  signal;    // semaphores that gain a token when the command is done
    logic [15:0]  wait_for;  // semaphores that must all have a token, and lose one, before it starts
    logic         mark;      // report on the event port when done
    region_e      region;    // of a transfer
    opcode_e      opcode;
  } descriptor_t;

  // On-chip memories that a DMA command can name.
  typedef enum logic [3:0] {
    BufInput    = 4'd1,
    BufWeight   = 4'd2,
    BufParam    = 4'd3,
    BufResidual = 4'd4,
    BufOutput   = 4'd5,
    BufProgram  = 4'd6,
    BufTurned   = 4'd7,    // the weight buffer, through a transposer: Cols words of N lanes become N words of Cols
    BufTable    = 4'd8     // 16 entries of the table of an activation function, a byte each
  } buffer_e;

  // A strided transfer: count2 x count1 runs of count0 words; the on-chip side is contiguous.
  typedef struct packed {
    logic [39:0] addr;       // bytes from the region's base; any, or without Unaligned a multiple of the smaller of a word and a bus beat
    logic [31:0] stride1;    // bytes between runs
    logic [31:0] stride2;    // bytes between groups of count1 runs
    logic [19:0] count0;
    logic [15:0] count1;
    logic [15:0] count2;
    logic [19:0] base;       // first on-chip word
    buffer_e     target;
  } dma_t;

  typedef enum logic [3:0] {
    CompArray     = 4'd1,    // the PE array
    CompDepthwise = 4'd2,    // vector unit: multiply-accumulate, one channel a lane
    CompSum       = 4'd3,    // vector unit: window sums
    CompMax       = 4'd4,    // vector unit: window maxima
    CompSoftmax   = 4'd5,    // non-linear unit: over the c channels of each pixel
    CompNorm      = 4'd6,
    CompGelu      = 4'd7     // non-linear unit: elementwise
  } compute_e;

  typedef struct packed {
    logic [1:0]  narrow;     // a stored weight word holds 2^narrow words of weights
    logic        masked;     // softmax: bit l of weight word row * words + word says whether lane l takes part
    logic [60:0] epsilon;    // layer norm
    logic [5:0]  shift;      // of softmax's result
    logic [5:0]  arg_shift;  // argument of the exponential or error function
    logic [19:0] arg_mult;
    tile_cmd_t   tile;
    compute_e    op;
  } compute_t;

  // Accumulators -> bias (product: times other), rescale, clamp -> [residual: x m0 + other x m1, rescale, clamp]
  // -> [lookup: the table's entry] -> output buffer.
  typedef struct packed {
    logic [19:0] ab_base;
    logic [19:0] ob_base;
    logic [19:0] rb_base;    // second operand, one word for each accumulator word (broadcast: for each channel word)
    logic [15:0] pb_base;    // parameters: first channel, in groups of PpuLanes
    logic [15:0] blocks;     // channel words
    logic [19:0] words;      // pixels in each
    logic        per_channel; // 1: bias, mult and shift from the parameter buffer; 0: 0, imm_mult, imm_shift
    logic        residual;
    logic        affine;     // bias after the multiplication, which is then signed (24 bits)
    logic [31:0] imm_mult;
    logic [5:0]  imm_shift;
    logic signed [15:0] low;
    logic signed [15:0] high;
    logic [23:0] m0;
    logic [23:0] m1;
    logic [5:0]  shift2;
    logic signed [15:0] low2;
    logic signed [15:0] high2;
    logic        product;    // the accumulator, of ActW bits, times the second operand
    logic        broadcast;  // the second operand is one pixel
    logic        lookup;
    logic        lookup_half;
  } drain_t;

  // Bodies of compute and drain: the fields of these names of compute_t and drain_t that differ within a layer.
  typedef struct packed {
    logic [15:0] k;
    logic [15:0] c;
    logic [15:0] p;
    logic [15:0] q;
    logic [7:0]  r;
    logic [7:0]  pad_top;
    logic [7:0]  pad_left;
    logic [15:0] in_h;
    logic [15:0] in_w;
    logic        accumulate;
    logic [19:0] ib_base;
    logic [21:0] wb_base;
    logic [19:0] ab_base;
  } compute_body_t;

  typedef struct packed {
    logic [19:0] ab_base;
    logic [19:0] ob_base;
    logic [19:0] rb_base;
    logic [15:0] pb_base;
    logic [15:0] blocks;
    logic [19:0] words;
    logic        lookup_half;
  } drain_body_t;

  // What begins a layer: the fields that all of its computes and drains share.
  typedef struct packed {
    logic [31:0] hardware;   // that the program was made for; bits 223:192 of the descriptor
    logic [8:0]  reserved;
    logic [15:0] tag;        // the layer's number, driven on AxUSER and on the event port
    compute_e    op;
    logic [7:0]  s;
    logic [7:0]  stride_h;
    logic [7:0]  stride_w;
    logic [7:0]  dilation_h;
    logic [7:0]  dilation_w;
    logic        dual;
    logic [3:0]  kept;
    logic [1:0]  narrow;
    logic        per_channel;
    logic        residual;
    logic        affine;
    logic        product;
    logic        broadcast;
    logic        lookup;
    logic [31:0] imm_mult;
    logic [5:0]  imm_shift;
    logic signed [15:0] low;
    logic signed [15:0] high;
  } layer_t;

  // Behind it, for a residual addition or the non-linear unit; without it, these are 0.
  typedef struct packed {
    logic        masked;
    logic [60:0] epsilon;
    logic [5:0]  shift;
    logic [5:0]  arg_shift;
    logic [19:0] arg_mult;
    logic [23:0] m0;
    logic [23:0] m1;
    logic [5:0]  shift2;
    logic signed [15:0] low2;
    logic signed [15:0] high2;
  } constants_t;

  // The units, in the order of all that is indexed by unit.
  typedef enum logic [1:0] {
    UnitLoad    = 2'd0,
    UnitCompute = 2'd1,
    UnitDrain   = 2'd2,
    UnitStore   = 2'd3
  } unit_e;

  // What every unit's queue carries beside the command.
  typedef struct packed {
    logic [15:0] tag;
    logic [15:0] signal;
    logic [15:0] wait_for;
    logic        mark;
  } token_t;

  typedef enum logic [3:0] {
    ErrNone       = 4'd0,
    ErrOpcode     = 4'd1,    // unknown opcode, buffer or compute operation
    ErrRange      = 4'd2,    // a count of 0, or an on-chip range beyond its memory
    ErrAlign      = 4'd3,    // without Unaligned: an address not a multiple of the smaller of a word and a beat
    ErrBus        = 4'd4,    // the bus answered with an error
    ErrImage      = 4'd5,    // the program was made for other hardware, or is not the one that was announced
    ErrAbort      = 4'd6,    // the processor asked for it
    ErrWatchdog   = 4'd7     // the run took longer than allowed
  } error_e;

endpackage
