// Cuts a strided transfer into AXI bursts, one a cycle. A burst ends where a multiple of MaxBurst beats does, and so never
// lies across a 4 KiB boundary; what is left of a run needs no comparison with the page.
module cd_burst_gen #(
  parameter int unsigned AxiBytes = 16,
  parameter int unsigned MaxBurst = 32,
  localparam int unsigned Lg      = $clog2(AxiBytes),
  localparam int unsigned LgBurst = $clog2(MaxBurst)
) (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,      // only while !busy_o
  input  logic [39:0]   addr_i,
  input  logic [31:0]   run_bytes_i,
  input  logic [15:0]   count1_i,
  input  logic [15:0]   count2_i,
  input  logic [31:0]   stride1_i,
  input  logic [31:0]   stride2_i,
  output logic          busy_o,
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

  if (MaxBurst < 2 || 2 ** LgBurst != MaxBurst || MaxBurst * AxiBytes > 4096) begin : gen_check
    $error("cd_burst_gen: MaxBurst must be a power of two, and such a burst at most 4 KiB");
  end

  // ---- Runs: where the next one begins ----
  logic        run_valid_q, run_first_q, run_take, run_last;
  logic [39:0] run_q, group_q, next_run, next_group;
  logic [31:0] run_bytes_q, stride1_q, stride2_q;
  logic [15:0] left1_q, left2_q, count1_q;

  // ---- Bursts: what is left of the run on offer, counted in blocks of MaxBurst beats ----
  localparam int unsigned LgBlock = Lg + LgBurst;
  logic                   valid_q, first_q, head_q, final_q, tail_q;  // tail_q: the run ends in this block
  logic [39:0]            addr_q;
  logic [33:0]            run_end;       // last byte of the run to come, from the start of its first block
  logic [33-LgBlock:0]    blocks_q;      // behind this one
  logic [LgBurst-1:0]     beats_more;    // of the burst, behind its first
  logic [LgBurst-1:0]     last_beat_q;   // of the run, in its last block
  logic [Lg-1:0]          last_byte_q;
  logic                   take_end;

  assign run_last   = left1_q == 16'd1 && left2_q == 16'd1;
  assign next_run   = run_q + 40'(stride1_q);
  assign next_group = group_q + 40'(stride2_q);
  assign take_end   = accept_i && tail_q;
  assign run_take   = run_valid_q && (!valid_q || take_end);
  assign run_end    = 34'(run_q[LgBlock-1:0]) + 34'(run_bytes_q) - 34'd1;

  assign busy_o       = run_valid_q || valid_q;
  assign active_o     = valid_q;
  assign addr_o       = {addr_q[39:Lg], {Lg{1'b0}}};
  assign beats_more   = (tail_q ? last_beat_q : {LgBurst{1'b1}}) - addr_q[Lg +: LgBurst];
  assign len_o        = 8'(beats_more);
  assign first_byte_o = addr_q[Lg-1:0];
  assign last_byte_o  = tail_q ? last_byte_q : {Lg{1'b1}};
  assign run_first_o  = head_q;
  assign first_o      = first_q;
  assign last_o       = tail_q && final_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_valid_q <= 1'b0;
      valid_q     <= 1'b0;
    end else begin
      if (start_i) run_valid_q <= 1'b1;
      else if (run_take && run_last) run_valid_q <= 1'b0;
      if (run_take) valid_q <= 1'b1;
      else if (take_end) valid_q <= 1'b0;
    end
  end

  // A transfer is taken in every cycle without runs: the start, which is known late, need not reach so many registers.
  always_ff @(posedge clk_i) begin
    if (!run_valid_q) begin
      run_first_q <= 1'b1;
      run_q       <= addr_i;
      group_q     <= addr_i;
      run_bytes_q <= run_bytes_i;
      stride1_q   <= stride1_i;
      stride2_q   <= stride2_i;
      left1_q     <= count1_i;
      left2_q     <= count2_i;
      count1_q    <= count1_i;
    end else if (run_take) begin
      run_first_q <= 1'b0;
      if (left1_q != 16'd1) begin
        left1_q <= left1_q - 16'd1;
        run_q   <= next_run;
      end else begin
        left1_q <= count1_q;
        left2_q <= left2_q - 16'd1;
        group_q <= next_group;
        run_q   <= next_group;
      end
    end

    if (run_take) begin
      addr_q      <= run_q;
      blocks_q    <= run_end[33:LgBlock];
      tail_q      <= run_end[33:LgBlock] == '0;
      last_beat_q <= run_end[Lg +: LgBurst];
      last_byte_q <= run_end[Lg-1:0];
      first_q     <= run_first_q;
      head_q      <= 1'b1;
      final_q     <= run_last;
    end else if (accept_i) begin
      addr_q   <= {addr_q[39:LgBlock] + 1'b1, {LgBlock{1'b0}}};
      blocks_q <= blocks_q - 1'b1;
      tail_q   <= blocks_q == (34-LgBlock)'(1);
      first_q  <= 1'b0;
      head_q   <= 1'b0;
    end
  end

endmodule
