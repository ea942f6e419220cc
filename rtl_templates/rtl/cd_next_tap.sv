// Where the filter tap of the next pass lies, as the header in front of its weights names it.
//
// A header has the tap's column in the lower two bits of its first weight and its row in those of the second: filters
// of up to 3 x 3. Three cycles after the header's request the tap is known, after four its offsets, and then its
// address too. A pass lasts five cycles or more, so that all are there before it ends.
module cd_next_tap
  import cd_types_pkg::tile_cmd_t;
#(
  parameter int unsigned IbAw   = 12,
  parameter int unsigned CoordW = 26
) (
  input  logic                     clk_i,
  input  tile_cmd_t                cmd_i,
  input  logic [IbAw-1:0]          tap_row_i,  // input words from one filter row to the next
  input  logic [IbAw-1:0]          block_i,    // address of pixel (-pad_top, -pad_left) of the next pass' channels
  input  logic                     head_valid_i,
  input  logic [3:0]               head_i,     // row, column
  output logic signed [CoordW-1:0] h_o,        // row * dilation_h - pad_top
  output logic signed [CoordW-1:0] w_o,
  output logic [IbAw-1:0]          addr_o
);

  logic [1:0]               r_q, s_q;
  logic [8:0]               down, across;      // input pixels
  logic signed [CoordW-1:0] h_q, w_q;
  logic [IbAw-1:0]          row, offset_q;

  assign down   = r_q[1] ? {cmd_i.dilation_h, 1'b0} : r_q[0] ? {1'b0, cmd_i.dilation_h} : '0;
  assign across = s_q[1] ? {cmd_i.dilation_w, 1'b0} : s_q[0] ? {1'b0, cmd_i.dilation_w} : '0;
  assign row    = r_q[1] ? tap_row_i << 1 : r_q[0] ? tap_row_i : '0;

  always_ff @(posedge clk_i) begin
    if (head_valid_i) {r_q, s_q} <= head_i;
    h_q      <= signed'(CoordW'(down)) - signed'(CoordW'(cmd_i.pad_top));
    w_q      <= signed'(CoordW'(across)) - signed'(CoordW'(cmd_i.pad_left));
    offset_q <= row + IbAw'(across);
  end

  assign h_o    = h_q;
  assign w_o    = w_q;
  assign addr_o = block_i + offset_q;

  // Fields of the command that are not used here.
  logic unused_cmd;
  assign unused_cmd = ^cmd_i;

endmodule
