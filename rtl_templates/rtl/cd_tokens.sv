// Sixteen counting semaphores between the four units. A command starts when every semaphore that it waits for has
// a token, and takes one of each; when done it gives one to each that it signals. What is taken leaves the count a cycle
// later, and counts as gone until then: the command's start is known late in its cycle.
module cd_tokens #(
  parameter int unsigned CountW = 6
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic [3:0][15:0] signal_i,  // pulses, by unit
  input  logic [3:0][15:0] take_i,    // pulses, by unit
  output logic [15:0]      ready_o    // has a token
);

  logic [15:0][CountW-1:0] count_q;
  logic [15:0][2:0]        taken_q;   // in the cycle before

  always_comb begin
    for (int unsigned s = 0; s < 16; s++) ready_o[s] = count_q[s] > CountW'(taken_q[s]);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      taken_q <= '0;
    end else if (clear_i) begin
      count_q <= '0;
      taken_q <= '0;
    end else begin
      for (int unsigned s = 0; s < 16; s++) begin
        count_q[s] <= count_q[s]
            + CountW'(signal_i[0][s]) + CountW'(signal_i[1][s]) + CountW'(signal_i[2][s]) + CountW'(signal_i[3][s])
            - CountW'(taken_q[s]);
        taken_q[s] <= 3'(take_i[0][s]) + 3'(take_i[1][s]) + 3'(take_i[2][s]) + 3'(take_i[3][s]);
      end
    end
  end

endmodule
