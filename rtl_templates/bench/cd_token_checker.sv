// Watches the semaphores: a command starts a cycle after its tokens were seen, so that none of them may have gone since.
/* verilator lint_off SYNCASYNCNET */  // assertions see the asynchronous reset at the clock
module cd_token_checker (
  input logic             clk_i,
  input logic             rst_ni,
  input logic [3:0][15:0] take_i,
  input logic [15:0]      ready_i
);

  for (genvar u = 0; u < 4; u++) begin : gen_unit
    Ready: assert property (@(posedge clk_i) disable iff (!rst_ni) (take_i[u] & ~ready_i) == '0)
      else $fatal(1, "a token is taken that is not there");
    for (genvar v = 0; v < u; v++) begin : gen_other
      Alone: assert property (@(posedge clk_i) disable iff (!rst_ni) (take_i[u] & take_i[v]) == '0)
        else $fatal(1, "two units take tokens of one semaphore");
    end
  end

endmodule
