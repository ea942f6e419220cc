// What one row of PEs works on in a pass, and which of its PEs takes the word that is on the bus.
//
// The (channel, filter row) pairs of a block of channels are dealt out to the rows in order, Rows to a pass: the row
// holds its pair and moves on by Rows pairs (delta_*). On the bus come the input rows 0, 1, 2, ... of the present
// columns; the PE of output row j takes input row j * (tag_more_i + 1) + filter row * dilation, found by counting.
module cd_row_config #(
  parameter  int unsigned Lanes  = 16,
  parameter  int unsigned Cols   = 16,
  localparam int unsigned LaneW  = $clog2(Lanes),
  localparam int unsigned CountW = $clog2(Lanes + 1) + 1,
  localparam int unsigned ColW   = $clog2(Cols)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  // The row's pair in the first pass of a block.
  input  logic              load_i,
  input  logic [LaneW-1:0]  load_lane_i,
  input  logic [7:0]        load_r_i,
  input  logic [15:0]       load_offset_i,   // r * dilation
  // From pass to pass.
  input  logic              restart_i,       // a block begins
  input  logic              step_i,          // the next pass of the block
  input  logic [CountW-1:0] delta_lane_i,
  input  logic [7:0]        delta_r_i,
  input  logic [15:0]       delta_offset_i,
  input  logic signed [8:0] wrap_r_i,        // delta_r_i less all filter rows: in the next channel
  input  logic [15:0]       wrap_offset_i,   // ... times the dilation
  output logic [LaneW-1:0]  lane_o,
  output logic [CountW-1:0] next_lane_o,     // the row's channel in the next pass, if the block had one
  // The word on the bus.
  input  logic              word_i,
  input  logic              row_first_i,     // input row 0
  input  logic [7:0]        tag_more_i,      // input rows from one PE's to the next one's, less one
  output logic              match_o,
  output logic [ColW-1:0]   col_o
);

  typedef struct packed {
    logic [LaneW-1:0] lane;
    logic [7:0]       r;
    logic [15:0]      offset;
  } pair_t;

  pair_t first_q, pair_q, next, next_q;  // passes are two cycles apart or more
  logic  wrap;
  logic signed [8:0] r_wrapped;

  assign r_wrapped   = signed'({1'b0, pair_q.r}) + wrap_r_i;
  assign wrap        = !r_wrapped[8];
  assign next.r      = wrap ? 8'(r_wrapped) : pair_q.r + delta_r_i;
  assign next.offset = wrap ? pair_q.offset + wrap_offset_i : pair_q.offset + delta_offset_i;
  assign next_lane_o = CountW'(pair_q.lane) + delta_lane_i + CountW'(wrap);
  assign next.lane   = LaneW'(next_lane_o);
  assign lane_o      = pair_q.lane;

  always_ff @(posedge clk_i) next_q <= next;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q <= '0;
      pair_q  <= '0;
    end else begin
      if (load_i) first_q <= '{lane: load_lane_i, r: load_r_i, offset: load_offset_i};
      if (restart_i) pair_q <= first_q;
      else if (step_i) pair_q <= next_q;
    end
  end

  logic [15:0]     wait_q, wait_now;  // input rows until the next PE's
  logic [ColW-1:0] col_q;
  logic            open_q, open_now;  // there is a next PE

  assign wait_now = row_first_i ? pair_q.offset : wait_q;
  assign col_o    = row_first_i ? '0 : col_q;
  assign open_now = row_first_i || open_q;
  assign match_o  = word_i && open_now && wait_now == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wait_q <= '0;
      col_q  <= '0;
      open_q <= 1'b0;
    end else if (word_i) begin
      wait_q <= match_o ? 16'(tag_more_i) : wait_now - 16'd1;
      col_q  <= match_o ? col_o + 1'b1 : col_o;
      open_q <= open_now && !(match_o && col_o == ColW'(Cols - 1));
    end
  end

endmodule
