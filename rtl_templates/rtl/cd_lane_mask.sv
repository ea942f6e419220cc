// The lanes of an accumulator word that a group of Cols output channels fills; of two neighbouring groups with pair_i.
module cd_lane_mask #(
  parameter  int unsigned Lanes = 16,
  parameter  int unsigned Cols  = 8,
  localparam int unsigned SubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1
) (
  input  logic [SubW-1:0]  sub_i,
  input  logic             pair_i,   // sub_i is even
  output logic [Lanes-1:0] mask_o
);

  if (Lanes == Cols) begin : gen_all
    assign mask_o = '1;
    logic unused_sub;
    assign unused_sub = ^{sub_i, pair_i};
  end else begin : gen_some
    for (genvar g = 0; g < int'(Lanes / Cols); g++) begin : gen_group
      assign mask_o[g*Cols+:Cols] = {Cols{(sub_i | SubW'(pair_i && g % 2 == 1)) == SubW'(g)}};
    end
  end

endmodule
