// Cuts a strided transfer into AXI bursts: at most MaxBurst beats, never across a 4 KiB boundary, one a cycle.
module cd_burst_gen #(
  parameter int unsigned AxiBytes = 16,
  parameter int unsigned MaxBurst = 32,
  localparam int unsigned Lg = $clog2(AxiBytes)
) (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,      // only while !active_o
  input  logic [39:0]   addr_i,
  input  logic [31:0]   run_bytes_i,
  input  logic [15:0]   count1_i,
  input  logic [15:0]   count2_i,
  input  logic [31:0]   stride1_i,
  input  logic [31:0]   stride2_i,
  output logic          active_o,     // a burst is on offer
  input  logic          accept_i,
  output logic [39:0]   addr_o,       // of the first beat, a multiple of AxiBytes
  output logic [7:0]    len_o,        // beats - 1
  output logic [Lg-1:0] first_byte_o, // first byte of the first beat that belongs to the run
  output logic [Lg-1:0] last_byte_o,  // last byte of the last beat that does
  output logic          run_first_o,  // first burst of a run
  output logic          first_o,      // first burst of the transfer
  output logic          last_o        // last burst of the transfer
);

  logic        active_q, first_q, run_first_q;
  logic [39:0] addr_q, run_q, group_q;
  logic [31:0] left_q, run_bytes_q, stride1_q, stride2_q;
  logic [15:0] left1_q, left2_q, count1_q;

  logic [Lg-1:0] offset, last_byte;
  logic [32:0]   beats_left;
  logic [12:0]   beats_page;
  logic [12:0]   beats;
  logic [13+Lg-1:0] span;             // bytes from the run's next byte to the end of the burst's last beat
  logic          run_end;
  logic [39:0]   next_run, next_group;

  assign offset     = addr_q[Lg-1:0];
  assign beats_left = (33'(left_q) + 33'(offset) + 33'(AxiBytes - 1)) >> Lg;
  assign beats_page = 13'((13'd4096 - {1'b0, addr_q[11:0]} + 13'(AxiBytes - 1)) >> Lg);

  always_comb begin
    beats = 13'(MaxBurst);
    if (beats_page < beats) beats = beats_page;
    if (beats_left < 33'(beats)) beats = 13'(beats_left);
  end

  assign span      = {beats, {Lg{1'b0}}} - (13+Lg)'(offset);
  assign run_end   = left_q <= 32'(span);
  assign last_byte = run_end ? Lg'(32'(offset) + left_q - 32'd1) : {Lg{1'b1}};

  assign active_o     = active_q;
  assign addr_o       = {addr_q[39:Lg], {Lg{1'b0}}};
  assign len_o        = 8'(beats - 13'd1);
  assign first_byte_o = offset;
  assign last_byte_o  = last_byte;
  assign run_first_o  = run_first_q;
  assign first_o      = first_q;
  assign last_o       = run_end && left1_q == 16'd1 && left2_q == 16'd1;
  assign next_run     = run_q + 40'(stride1_q);
  assign next_group   = group_q + 40'(stride2_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q    <= 1'b0;
      first_q     <= 1'b0;
      run_first_q <= 1'b0;
      addr_q      <= '0;
      run_q       <= '0;
      group_q     <= '0;
      left_q      <= '0;
      run_bytes_q <= '0;
      stride1_q   <= '0;
      stride2_q   <= '0;
      left1_q     <= '0;
      left2_q     <= '0;
      count1_q    <= '0;
    end else if (start_i) begin
      active_q    <= 1'b1;
      first_q     <= 1'b1;
      run_first_q <= 1'b1;
      addr_q      <= addr_i;
      run_q       <= addr_i;
      group_q     <= addr_i;
      left_q      <= run_bytes_i;
      run_bytes_q <= run_bytes_i;
      stride1_q   <= stride1_i;
      stride2_q   <= stride2_i;
      left1_q     <= count1_i;
      left2_q     <= count2_i;
      count1_q    <= count1_i;
    end else if (active_q && accept_i) begin
      first_q     <= 1'b0;
      run_first_q <= run_end;
      if (!run_end) begin
        addr_q <= addr_q + 40'(span);
        left_q <= left_q - 32'(span);
      end else begin
        left_q <= run_bytes_q;
        if (left1_q != 16'd1) begin
          left1_q <= left1_q - 16'd1;
          run_q   <= next_run;
          addr_q  <= next_run;
        end else if (left2_q != 16'd1) begin
          left1_q <= count1_q;
          left2_q <= left2_q - 16'd1;
          group_q <= next_group;
          run_q   <= next_group;
          addr_q  <= next_group;
        end else begin
          active_q <= 1'b0;
        end
      end
    end
  end

endmodule
