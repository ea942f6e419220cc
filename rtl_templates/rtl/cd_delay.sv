// Stages registers in a row: so much later, the same. For wires too long for a clock cycle.
module cd_delay #(
  parameter int unsigned Width  = 8,
  parameter int unsigned Stages = 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             valid_i,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  output logic [Width-1:0] data_o
);

  if (Stages == 0) begin : gen_wire
    assign valid_o = valid_i;
    assign data_o  = data_i;
    logic unused;
    assign unused = ^{clk_i, rst_ni};
  end else begin : gen_registers
    logic [Stages-1:0] valid_q;
    logic [Width-1:0]  data_q [Stages];
    assign valid_o = valid_q[Stages-1];
    assign data_o  = data_q[Stages-1];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) valid_q <= '0;
      else valid_q <= Stages'({valid_q, valid_i});
    end
    always_ff @(posedge clk_i) begin
      data_q[0] <= data_i;
      for (int unsigned i = 1; i < Stages; i++) data_q[i] <= data_q[i-1];
    end
  end

endmodule
