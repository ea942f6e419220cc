// A pipelined tree that adds signed numbers: one sum a cycle, Stages cycles after its inputs.
module cd_adder_tree #(
  parameter  int unsigned Inputs         = 16,  // a power of two
  parameter  int unsigned InW            = 16,
  parameter  int unsigned LevelsPerStage = 2,   // adders between two registers
  localparam int unsigned Levels         = $clog2(Inputs),
  localparam int unsigned OutW           = InW + Levels
) (
  input  logic                       clk_i,
  input  logic [Inputs-1:0][InW-1:0] data_i,
  output logic [OutW-1:0]            sum_o
);

  if (Inputs < 2 || Inputs != 2 ** Levels) begin : gen_check
    $error("cd_adder_tree: Inputs must be a power of two, 2 or more");
  end

  for (genvar l = 0; l < int'(Levels); l++) begin : gen_level
    localparam int unsigned W     = InW + l + 1;
    localparam int unsigned Count = Inputs >> (l + 1);

    logic [2*Count-1:0][W-2:0] operand;
    logic [Count-1:0][W-1:0]   sum;
    logic [Count-1:0][W-1:0]   node;

    if (l == 0) begin : gen_leaf
      assign operand = data_i;
    end else begin : gen_inner
      assign operand = gen_level[l-1].node;
    end

    always_comb begin
      for (int unsigned i = 0; i < Count; i++) begin
        sum[i] = W'(signed'(operand[2*i])) + W'(signed'(operand[2*i+1]));
      end
    end

    if ((l + 1) % LevelsPerStage == 0 || l == int'(Levels) - 1) begin : gen_register
      always_ff @(posedge clk_i) node <= sum;
    end else begin : gen_wire
      assign node = sum;
    end
  end

  assign sum_o = gen_level[Levels-1].node;

endmodule
