// Sixteen counting semaphores between the four units. A command starts when every semaphore that it waits for has
// a token, and takes one of each; when done it gives one to each that it signals. The tokens of a semaphore all go to one
// unit, whose commands start one after another. What is taken leaves the count a cycle later, and counts as gone until then.
module cd_tokens #(
  parameter int unsigned CountW = 6
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic [3:0][15:0] signal_i,  // pulses, by unit
  input  logic [3:0][15:0] take_i,    // pulses, by unit; of one semaphore by one unit alone
  output logic [15:0]      ready_o    // has a token
);

  logic [15:0][CountW-1:0] count_q, count_d;
  logic [15:0]             took_q;                // in the cycle before
  logic [15:0]             some_q, more_q;        // of count_q: at least one, at least two

  always_comb begin
    for (int unsigned s = 0; s < 16; s++) begin
      count_d[s] = count_q[s]
          + CountW'(signal_i[0][s]) + CountW'(signal_i[1][s]) + CountW'(signal_i[2][s]) + CountW'(signal_i[3][s])
          - CountW'(took_q[s]);
      ready_o[s] = took_q[s] ? more_q[s] : some_q[s];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      took_q  <= '0;
      some_q  <= '0;
      more_q  <= '0;
    end else if (clear_i) begin
      count_q <= '0;
      took_q  <= '0;
      some_q  <= '0;
      more_q  <= '0;
    end else begin
      count_q <= count_d;
      took_q  <= take_i[0] | take_i[1] | take_i[2] | take_i[3];
      for (int unsigned s = 0; s < 16; s++) begin
        some_q[s] <= count_d[s] != '0;
        more_q[s] <= count_d[s] > CountW'(1);
      end
    end
  end

endmodule
