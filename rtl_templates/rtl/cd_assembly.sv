// Local accumulators of a stripe of pixels: the partial sums of a reduction never leave the array.
//
// valid_i brings the sums of pixel index_i, whose index came two cycles earlier on index_early_i: the former sums lie in
// their memory's register by then. The result of a reduction leaves one cycle after its last part. A sum is written from a
// register; two parts of one pixel are at least four cycles apart, so that no word is used that is read while it is written.
module cd_assembly #(
  parameter  int unsigned Cols    = 16,
  parameter  int unsigned SumW    = 20,
  parameter  int unsigned AccW    = 32,
  parameter  int unsigned Entries = 64,
  localparam int unsigned IndexW  = $clog2(Entries)
) (
  input  logic                      clk_i,
  input  logic [IndexW-1:0]         index_early_i,
  input  logic                      valid_i,
  input  logic                      first_i,
  input  logic [IndexW-1:0]         index_i,
  input  logic [Cols-1:0][SumW-1:0] sum_i,
  output logic [Cols-1:0][AccW-1:0] total_o  // registered
);

  (* no_rw_check *)
  logic [Cols-1:0][AccW-1:0] mem_q[Entries];
  logic [Cols-1:0][AccW-1:0] read_q, former_q, total, total_q;
  logic                      valid_q;
  logic [IndexW-1:0]         index_q;

  always_comb begin
    for (int unsigned j = 0; j < Cols; j++) begin
      total[j] = (first_i ? '0 : former_q[j]) + AccW'(signed'(sum_i[j]));
    end
  end

  // What is not valid is not written, and no result.
  always_ff @(posedge clk_i) begin
    read_q   <= mem_q[index_early_i];
    former_q <= read_q;
    valid_q  <= valid_i;
    index_q  <= index_i;
    total_q  <= total;
    if (valid_q) mem_q[index_q] <= total_q;
  end

  assign total_o = total_q;

endmodule
