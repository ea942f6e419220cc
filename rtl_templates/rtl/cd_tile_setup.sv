// The five products that a tile's address walk needs, by one multiplier between two registers, one a cycle.
//
// Operands are taken from cmd_i, which must hold from the cycle after start_i; ready_o pulses when all products are
// registered: start_i in cycle 0, ready_o in cycle 8; pixels_o is there in cycle 4, pad_words_o in cycle 5. Address
// products are kept modulo 2^IbAw.
module cd_tile_setup
  import cd_types_pkg::tile_cmd_t;
#(
  parameter int unsigned IbAw = 12,
  parameter int unsigned PxW  = 21
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            start_i,
  input  tile_cmd_t       cmd_i,
  output logic            ready_o,
  output logic [IbAw-1:0] plane_o,       // in_h * in_w: words of a channel block
  output logic [IbAw-1:0] pad_words_o,   // pad_top * in_w
  output logic [IbAw-1:0] tap_row_o,     // dilation_h * in_w: from one filter row to the next
  output logic [IbAw-1:0] pixel_row_o,   // stride_h * in_w: from one output row to the next
  output logic [PxW-1:0]  pixels_o       // p * q
);

  localparam int unsigned Steps = 5;

  logic [2:0] step_q, taken_q, held_q;   // of the operands to choose, of those chosen, of the product
  logic       run_q, taken_valid_q, held_valid_q, ready_q;

  logic [15:0] lhs, rhs, lhs_q, rhs_q;
  logic [31:0] product_q;

  always_comb begin
    rhs = cmd_i.in_w;
    unique case (step_q)
      3'd0: begin
        lhs = cmd_i.p;
        rhs = cmd_i.q;
      end
      3'd1:    lhs = {8'd0, cmd_i.pad_top};
      3'd2:    lhs = {8'd0, cmd_i.dilation_h};
      3'd3:    lhs = {8'd0, cmd_i.stride_h};
      default: lhs = cmd_i.in_h;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q         <= 1'b0;
      taken_valid_q <= 1'b0;
      held_valid_q  <= 1'b0;
      ready_q       <= 1'b0;
      step_q        <= '0;
    end else begin
      taken_valid_q <= run_q;
      held_valid_q  <= taken_valid_q;
      ready_q       <= held_valid_q && held_q == 3'(Steps - 1);
      if (start_i) begin
        run_q  <= 1'b1;
        step_q <= '0;
      end else if (run_q) begin
        run_q  <= step_q != 3'(Steps - 1);
        step_q <= step_q + 3'd1;
      end
    end
  end

  logic [IbAw-1:0] plane_q, pad_words_q, tap_row_q, pixel_row_q;
  logic [PxW-1:0]  pixels_q;

  always_ff @(posedge clk_i) begin
    lhs_q     <= lhs;
    rhs_q     <= rhs;
    taken_q   <= step_q;
    product_q <= lhs_q * rhs_q;
    held_q    <= taken_q;
    if (held_valid_q) begin
      unique case (held_q)
        3'd0:    pixels_q <= PxW'(product_q);
        3'd1:    pad_words_q <= IbAw'(product_q);
        3'd2:    tap_row_q <= IbAw'(product_q);
        3'd3:    pixel_row_q <= IbAw'(product_q);
        default: plane_q <= IbAw'(product_q);
      endcase
    end
  end

  assign ready_o     = ready_q;
  assign plane_o     = plane_q;
  assign pad_words_o = pad_words_q;
  assign tap_row_o   = tap_row_q;
  assign pixel_row_o = pixel_row_q;
  assign pixels_o    = pixels_q;

  // Fields of the command that no product uses.
  logic unused_cmd;
  assign unused_cmd = ^{cmd_i, product_q};

endmodule
