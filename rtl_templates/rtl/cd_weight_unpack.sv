// Between the compute unit and the weight buffer: narrow weights lie packed in a stored word and are widened here.
//
// A stored word holds 2^narrow_i words of Cols weights, the first in the lowest bits; the compute unit counts those.
// Each weight is sign-extended to WgtW bits, or with dual_i each of 2 * Cols weights to half of that.
module cd_weight_unpack #(
  parameter  int unsigned Cols     = 16,
  parameter  int unsigned WgtW     = 8,
  parameter  int unsigned Packing  = 1,     // most words of weights in a stored word: 1, 2 or 4
  parameter  bit          DualRate = 1'b0,
  parameter  int unsigned WbAw     = 12,    // of stored words
  localparam int unsigned LgPack   = $clog2(Packing),
  localparam int unsigned WordW    = Cols * WgtW
) (
  input  logic                   clk_i,
  input  logic [1:0]             narrow_i,  // both hold from the first request to the last word
  input  logic                   dual_i,
  input  logic [WbAw+LgPack-1:0] addr_i,    // words of weights
  output logic [WbAw-1:0]        addr_o,    // stored words
  input  logic [WordW-1:0]       data_i,    // two cycles after the address
  output logic [WordW-1:0]       data_o
);

  if (!(Packing == 1 || Packing == 2 || Packing == 4) || WgtW / Packing < 2) begin : gen_check
    $error("cd_weight_unpack: Packing must be 1, 2 or 4, and leave 2 bits");
  end

  if (Packing == 1) begin : gen_whole
    assign addr_o = addr_i;
    assign data_o = data_i;
    logic unused_mode;
    assign unused_mode = ^{clk_i, narrow_i, dual_i, DualRate};
  end else begin : gen_parts
    logic [LgPack-1:0]  part_q, part_q2;
    logic [WordW/2-1:0] half;
    logic [WordW-1:0]   halves, wide;

    always_comb begin
      unique case (narrow_i)
        2'd0:    addr_o = WbAw'(addr_i);
        2'd1:    addr_o = WbAw'(addr_i >> 1);
        default: addr_o = WbAw'(addr_i >> 2);
      endcase
    end
    always_ff @(posedge clk_i) begin
      part_q  <= addr_i[LgPack-1:0];
      part_q2 <= part_q;
    end

    assign half = part_q2[0] ? data_i[WordW/2 +: WordW/2] : data_i[0 +: WordW/2];
    always_comb begin
      for (int unsigned j = 0; j < Cols; j++) halves[j*WgtW +: WgtW] = WgtW'(signed'(half[j*(WgtW/2) +: WgtW/2]));
    end

    if (Packing == 2) begin : gen_halves
      assign wide = halves;
      logic unused_dual;
      assign unused_dual = ^{dual_i, DualRate};
    end else begin : gen_quarters
      logic [WordW/4-1:0] quarter;
      logic [WordW-1:0]   quarters, pairs;
      assign quarter = data_i[part_q2 * (WordW / 4) +: WordW/4];
      always_comb begin
        for (int unsigned j = 0; j < Cols; j++) begin
          quarters[j*WgtW +: WgtW] = WgtW'(signed'(quarter[j*(WgtW/4) +: WgtW/4]));
        end
        for (int unsigned j = 0; j < 2 * Cols; j++) begin
          pairs[j*(WgtW/2) +: WgtW/2] = (WgtW/2)'(signed'(half[j*(WgtW/4) +: WgtW/4]));
        end
      end
      assign wide = narrow_i == 2'd2 ? quarters : DualRate && dual_i ? pairs : halves;
    end
    assign data_o = narrow_i == 2'd0 ? data_i : wide;
  end

endmodule
