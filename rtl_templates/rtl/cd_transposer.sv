// Turns pixels x channels into channels x pixels: two halves, one written while the other is read.
//
// A word holds all channels of one pixel; a read delivers one channel of Rows pixels.
module cd_transposer #(
  parameter  int unsigned Rows  = 16,  // pixels
  parameter  int unsigned Lanes = 16,  // channels
  parameter  int unsigned ActW  = 8,
  localparam int unsigned RowAw = $clog2(Rows),
  localparam int unsigned LaneAw = $clog2(Lanes)
) (
  input  logic                       clk_i,
  input  logic                       we_i,
  input  logic                       we_half_i,
  input  logic [RowAw-1:0]           we_row_i,
  input  logic [Lanes-1:0][ActW-1:0] word_i,
  input  logic                       read_half_i,
  input  logic [LaneAw-1:0]          read_lane_i,
  output logic [Rows-1:0][ActW-1:0]  pixels_o
);

  logic [1:0][Rows-1:0][Lanes-1:0][ActW-1:0] mem_q;

  always_ff @(posedge clk_i) begin
    if (we_i) mem_q[we_half_i][we_row_i] <= word_i;
  end

  always_comb begin
    for (int unsigned i = 0; i < Rows; i++) pixels_o[i] = mem_q[read_half_i][i][read_lane_i];
  end

endmodule
