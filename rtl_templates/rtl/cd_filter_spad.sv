// The filter row of one row of PEs, for Cols output channels: one bank in use, one being filled for the next pass.
//
// PEs of a row that work on the same output channel use the same weight in the same cycle, so that one spad serves them
// all (Eyeriss keeps a copy in each PE, because its PEs run on their own). Each quad of neighbouring PEs shares one, of
// its own channel_i. The weights are registered.
module cd_filter_spad #(
  parameter  int unsigned Cols = 16,
  parameter  int unsigned WgtW = 8,
  parameter  int unsigned Taps = 4,  // a power of two
  localparam int unsigned TapW  = $clog2(Taps),
  localparam int unsigned ColW  = $clog2(Cols),
  localparam int unsigned Quads = Cols / 4
) (
  input  logic                      clk_i,
  input  logic                      we_i,
  input  logic                      we_bank_i,
  input  logic [TapW-1:0]           we_tap_i,
  input  logic [Cols-1:0][WgtW-1:0] word_i,
  input  logic                      bank_i,
  input  logic [TapW-1:0]           tap_i,
  input  logic [Quads-1:0][ColW-1:0] channel_i,
  output logic [Quads-1:0][WgtW-1:0] weight_o
);

  logic [Cols-1:0][WgtW-1:0] mem_q[2*Taps];
  logic [Cols-1:0][WgtW-1:0] word;
  logic [Quads-1:0][WgtW-1:0] weight_q;

  assign word = mem_q[{bank_i, tap_i}];

  always_ff @(posedge clk_i) begin
    if (we_i) mem_q[{we_bank_i, we_tap_i}] <= word_i;
    for (int unsigned g = 0; g < Quads; g++) weight_q[g] <= word[channel_i[g]];
  end

  assign weight_o = weight_q;

endmodule
