// Sixteen counting semaphores between the four units. A command starts when every semaphore that it waits for has
// a token, and takes one of each; when done it gives one to each that it signals.
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

  always_comb begin
    for (int unsigned s = 0; s < 16; s++) ready_o[s] = count_q[s] != '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
    end else if (clear_i) begin
      count_q <= '0;
    end else begin
      for (int unsigned s = 0; s < 16; s++) begin
        count_q[s] <= count_q[s]
            + CountW'(signal_i[0][s]) + CountW'(signal_i[1][s]) + CountW'(signal_i[2][s]) + CountW'(signal_i[3][s])
            - CountW'(take_i[0][s]) - CountW'(take_i[1][s]) - CountW'(take_i[2][s]) - CountW'(take_i[3][s]);
      end
    end
  end

endmodule
