// The accumulators: two halves of Depth words of N lanes. The array adds into one half (register, read, two registers, add and
// write: a word a cycle, two to one address at least four cycles apart) while the drain unit reads the other.
module cd_acc_mem #(
  parameter int unsigned N     = 16,
  parameter int unsigned AccW  = 32,
  parameter int unsigned Depth = 512,           // words of a half
  parameter int unsigned MaxW  = 16,            // bits of a value of which the larger is kept
  localparam int unsigned Hw   = $clog2(Depth),
  localparam int unsigned Aw   = Hw + 1         // the top bit names the half
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              valid_i,
  input  logic              first_i,            // overwrite
  input  logic              max_i,              // keep the larger instead of adding
  input  logic [Aw-1:0]     addr_i,
  input  logic [N-1:0]      mask_i,             // lanes that change
  input  logic [N*AccW-1:0] data_i,
  input  logic              re_i,
  input  logic [Aw-1:0]     raddr_i,
  output logic [N*AccW-1:0] rdata_o             // two cycles after re_i
);

  logic              valid_q, valid_q2, valid_q3, we_q;
  logic              first_q, max_q;
  logic [1:0]        read_half_q;   // of the latest read; a cycle later
  logic [Aw-1:0]     addr_q, addr_q2, addr_q3, waddr_q;
  logic [N-1:0]      mask_q, anew_q2, anew_q3, max_q2, max_q3, max_q4;  // by lane: forget what is there; keep the larger
  logic [N*AccW-1:0] data_q, data_q2, data_q3, addend_q, former_q, sum;  // addend_q: inverted where the larger is kept
  logic [N*AccW-1:0] half_data [2];

  for (genvar h = 0; h < 2; h++) begin : gen_half
    logic update, drained;  // never both: array and drain unit have a half each, and the drain's is known earlier
    assign update  = valid_q && addr_q[Hw] == 1'(h);
    assign drained = re_i && raddr_i[Hw] == 1'(h);
    cd_ram #(
      .Width(N * AccW),
      .Depth(Depth)
    ) u_ram (
      .clk_i,
      .we_i   (we_q && waddr_q[Hw] == 1'(h)),
      .waddr_i(waddr_q[Hw-1:0]),
      .wdata_i(sum),
      .re_i   (update || drained),
      .raddr_i(drained ? raddr_i[Hw-1:0] : addr_q[Hw-1:0]),
      .rdata_o(half_data[h])
    );
  end

  assign rdata_o = half_data[read_half_q[1]];

  // From a register beside the adder into the memory's own: no path has both the wire from a memory and the one to it.
  // Where the larger is kept, the adder subtracts: the sign, which values of MaxW bits leave in bit MaxW, tells which.
  localparam int unsigned SumW = MaxW < AccW ? AccW : AccW + 1;
  localparam int unsigned Sign = MaxW < AccW ? MaxW : AccW;
  always_comb begin
    for (int unsigned j = 0; j < N; j++) begin
      logic [SumW:0] total;  // its lowest bit carries the 1 of a difference into the others
      total = {SumW'($signed(former_q[j*AccW +: AccW])), 1'b1} + {SumW'($signed(addend_q[j*AccW +: AccW])), max_q4[j]};
      sum[j*AccW +: AccW] = total[AccW:1];
      if (max_q4[j]) sum[j*AccW +: AccW] = total[Sign+1] ? ~addend_q[j*AccW +: AccW] : former_q[j*AccW +: AccW];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q     <= 1'b0;
      valid_q2    <= 1'b0;
      valid_q3    <= 1'b0;
      we_q        <= 1'b0;
      read_half_q <= '0;
    end else begin
      valid_q  <= valid_i;
      valid_q2 <= valid_q;
      valid_q3 <= valid_q2;
      we_q     <= valid_q3;
      if (re_i) read_half_q[0] <= raddr_i[Hw];
      read_half_q[1] <= read_half_q[0];
    end
  end

  // Which engine writes is known late: its choice ends here, before the wires to the memory. Taken in every cycle: only what is
  // valid is written, and valid_i need not reach so many registers.
  always_ff @(posedge clk_i) begin
    first_q  <= first_i;
    max_q    <= max_i;
    addr_q   <= addr_i;
    mask_q   <= mask_i;
    data_q   <= data_i;
    addr_q2  <= addr_q;
    addr_q3  <= addr_q2;
    anew_q3  <= anew_q2;
    data_q3  <= data_q2;
    for (int unsigned j = 0; j < N; j++) begin
      anew_q2[j] <= first_q && mask_q[j];
      max_q2[j]  <= max_q && !first_q && mask_q[j];
      data_q2[j*AccW +: AccW]  <= mask_q[j] ? data_q[j*AccW +: AccW] : '0;
      addend_q[j*AccW +: AccW] <= data_q3[j*AccW +: AccW] ^ {AccW{max_q3[j]}};
      former_q[j*AccW +: AccW] <= anew_q3[j] ? '0 : half_data[addr_q3[Hw]][j*AccW +: AccW];
    end
    waddr_q  <= addr_q3;
    max_q3   <= max_q2;
    max_q4   <= max_q3;
  end

endmodule
