// Deals the first (channel, filter row) pairs of a block of channels out to the rows of PEs, one row a cycle.
//
// After the last row the outputs hold the pair that would follow: the distance between two passes.
module cd_row_deal #(
  parameter  int unsigned Rows   = 16,
  parameter  int unsigned Lanes  = 16,
  localparam int unsigned RowW   = $clog2(Rows),
  localparam int unsigned CountW = $clog2(Lanes + 1) + 1
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              start_i,        // taps_i and dilation_i hold from the cycle after it
  input  logic [7:0]        taps_i,         // filter rows
  input  logic [7:0]        dilation_i,
  output logic              deal_o,
  output logic [RowW-1:0]   row_o,
  output logic [CountW-1:0] lane_o,         // channel
  output logic [7:0]        r_o,            // filter row
  output logic [15:0]       offset_o,       // filter row * dilation
  output logic signed [8:0] wrap_r_o,       // r_o, offset_o less all filter rows; a cycle later
  output logic [15:0]       wrap_offset_o,
  output logic [15:0]       span_last_o     // (filter rows - 1) * dilation
);

  logic              deal_q;
  logic [RowW-1:0]   row_q;
  logic [CountW-1:0] lane_q;
  logic [7:0]        r_q;
  logic [15:0]       offset_q, taps_offset_q, span_last_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      deal_q        <= 1'b0;
      row_q         <= '0;
      lane_q        <= '0;
      r_q           <= '0;
      offset_q      <= '0;
      taps_offset_q <= '0;
      span_last_q   <= '0;
    end else if (start_i) begin
      deal_q   <= 1'b1;
      row_q    <= '0;
      lane_q   <= '0;
      r_q      <= '0;
      offset_q <= '0;
    end else if (deal_q) begin
      deal_q <= row_q != RowW'(Rows - 1);
      row_q  <= row_q + 1'b1;
      if (r_q == taps_i - 8'd1) begin
        r_q      <= '0;
        offset_q <= '0;
        lane_q   <= lane_q + 1'b1;
      end else begin
        r_q      <= r_q + 8'd1;
        offset_q <= offset_q + 16'(dilation_i);
      end
      taps_offset_q <= 16'(taps_i) * 16'(dilation_i);
      span_last_q   <= taps_offset_q - 16'(dilation_i);
    end
  end

  always_ff @(posedge clk_i) begin
    wrap_r_o      <= signed'({1'b0, r_q}) - signed'({1'b0, taps_i});
    wrap_offset_o <= offset_q - taps_offset_q;
  end

  assign deal_o        = deal_q;
  assign row_o         = row_q;
  assign lane_o        = lane_q;
  assign r_o           = r_q;
  assign offset_o      = offset_q;
  assign span_last_o   = span_last_q;

endmodule
