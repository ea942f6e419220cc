// The load unit: strided DMA from memory into an on-chip buffer.
//
// Its address side starts a command as soon as the tokens are there and the previous command's addresses are out; its
// data side follows in order, so that the memory's latency is hidden across commands. Beats are cut into words
// (cd_unpack), in a step and the cycle after it; words wider than a beat are collected from several. One word is written
// a cycle. A transposed transfer (BufTurned) goes to the weight buffer through a block of registers.
module cd_load
  import cd_types_pkg::*;
#(
  parameter int unsigned AxiBytes    = 16,
  parameter int unsigned MaxBurst    = 32,
  parameter int unsigned Outstanding = 16,  // bursts in flight, a power of two
  parameter int unsigned ActBytes    = 16,  // a word of the input and residual buffers
  parameter int unsigned WgtBytes    = 16,  // a word of the weight buffer
  parameter int unsigned N           = 16,  // lanes of an activation word
  parameter int unsigned Cols        = 16,  // lanes of a weight word
  parameter bit          Transposer  = 1'b0,
  parameter bit          Unaligned   = 1'b1, // runs may begin at any byte
  localparam int unsigned ParBytes   = 16,  // a channel's parameters
  localparam int unsigned MaxBytes   = load_bytes(ActBytes, WgtBytes, AxiBytes)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  cmd_valid_i,
  input  dma_t                  cmd_i,
  input  logic [15:0]           signal_i,     // tokens that the command gives when done
  input  logic [15:0]           tag_i,
  input  logic [31:0]           index_i,      // the command's place in the program
  input  logic                  tokens_ok_i,
  output logic                  start_o,      // takes the command and its tokens
  output logic [15:0]           signal_o,     // pulse: tokens of a finished command
  output logic                  program_o,    // pulse: a chunk of program has arrived
  output logic                  busy_o,
  output logic                  bus_error_o,  // pulse, with the command and the burst's address
  output logic [31:0]           error_index_o,
  output logic [39:0]           error_addr_o,

  output logic                  wr_valid_o,
  output buffer_e               wr_target_o,
  output logic [19:0]           wr_addr_o,
  output logic [MaxBytes*8-1:0] wr_data_o,

  output logic                  arvalid_o,
  input  logic                  arready_i,
  output logic [39:0]           araddr_o,
  output logic [7:0]            arlen_o,
  output logic [15:0]           aruser_o,
  input  logic                  rvalid_i,
  output logic                  rready_o,
  input  logic [AxiBytes*8-1:0] rdata_i,
  input  logic [1:0]            rresp_i,
  input  logic                  rlast_i
);

  localparam int unsigned Lg    = $clog2(AxiBytes);
  localparam int unsigned LgMax = $clog2(MaxBytes);
  localparam int unsigned ChW   = LgMax > Lg ? LgMax - Lg : 1;
  // Without Unaligned: the smallest of the words, of which every address is a multiple.
  localparam int unsigned MinWord = ActBytes < WgtBytes ? (ActBytes < ParBytes ? ActBytes : ParBytes)
                                                        : (WgtBytes < ParBytes ? WgtBytes : ParBytes);
  localparam int unsigned Granule = Unaligned ? 1 : (MinWord < AxiBytes ? MinWord : AxiBytes);

  function automatic logic [3:0] lg_word(input buffer_e target);
    unique case (target)
      BufWeight:  lg_word = 4'($clog2(WgtBytes));
      BufParam, BufTable: lg_word = 4'($clog2(ParBytes));
      BufProgram: lg_word = 4'($clog2(DescriptorBytes));
      default:    lg_word = 4'($clog2(ActBytes));
    endcase
  endfunction

  typedef struct packed {
    logic [Lg:0]   piece_bytes;
    logic [ChW:0]  pieces_more;   // of a word, behind its first
    logic          turned;
    logic [15:0]   signal;
    buffer_e       target;
    logic [19:0]   base;
    logic [Lg-1:0] first_byte;
    logic signed [Lg+1:0] last_piece;
    logic          run_first;
    logic          first;
    logic          last;
    logic [31:0]   index;
    logic [39:0]   addr;
  } burst_t;

  // ---- Address side ----
  logic          gen_busy, gen_active, gen_accept, gen_run_first, gen_first, gen_last;
  logic [Lg-1:0] gen_first_byte, gen_last_byte;
  buffer_e       target_q;
  logic [Lg:0]   piece_bytes_q;
  logic [ChW:0]  pieces_more_q;
  logic          turned_q;
  logic [19:0]   base_q;
  logic [15:0]   signal_q, tag_q;
  logic [31:0]   index_q;
  logic          info_full, info_empty, info_pop;
  burst_t        info;
  logic [Lg+1:0] last_piece;   // last byte of the burst in its last beat, less a piece

  // The words of a command: in pieces of a beat at most.
  logic [3:0]    lg;
  logic [Lg:0]   piece_bytes;
  logic [ChW:0]  pieces_more;
  assign lg          = lg_word(cmd_i.target);
  assign piece_bytes = (Lg+1)'(1) << (lg < 4'(Lg) ? lg : 4'(Lg));
  assign pieces_more = lg < 4'(Lg) ? '0 : ((ChW+1)'(1) << (lg - 4'(Lg))) - 1'b1;

  assign start_o    = cmd_valid_i && tokens_ok_i && !gen_busy;
  assign arvalid_o  = gen_active && !info_full;
  assign gen_accept = arvalid_o && arready_i;
  assign aruser_o   = tag_q;
  assign last_piece = (Lg+2)'(gen_last_byte) - (Lg+2)'(piece_bytes_q);

  cd_burst_gen #(
    .AxiBytes(AxiBytes),
    .MaxBurst(MaxBurst)
  ) u_gen (
    .clk_i,
    .rst_ni,
    .start_i     (start_o),
    .addr_i      (cmd_i.addr),
    .run_bytes_i (32'(cmd_i.count0) << lg),
    .count1_i    (cmd_i.count1),
    .count2_i    (cmd_i.count2),
    .stride1_i   (cmd_i.stride1),
    .stride2_i   (cmd_i.stride2),
    .busy_o      (gen_busy),
    .active_o    (gen_active),
    .accept_i    (gen_accept),
    .addr_o      (araddr_o),
    .len_o       (arlen_o),
    .first_byte_o(gen_first_byte),
    .last_byte_o (gen_last_byte),
    .run_first_o (gen_run_first),
    .first_o     (gen_first),
    .last_o      (gen_last)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      target_q <= BufInput;
      piece_bytes_q <= '0;
      pieces_more_q <= '0;
      turned_q <= 1'b0;
      base_q   <= '0;
      signal_q <= '0;
      tag_q    <= '0;
      index_q  <= '0;
    end else if (!gen_busy) begin  // in every idle cycle: the start is known late
      target_q <= cmd_i.target;
      piece_bytes_q <= piece_bytes;
      pieces_more_q <= pieces_more;
      turned_q <= cmd_i.target == BufTurned;
      base_q   <= cmd_i.base;
      signal_q <= signal_i;
      tag_q    <= tag_i;
      index_q  <= index_i;
    end
  end

  cd_fifo #(
    .Width($bits(burst_t)),
    .Depth(Outstanding),
    .HeadW($bits(burst_t) - 72)   // but the descriptor's number and the address, which an error asks for
  ) u_info (
    .clk_i,
    .rst_ni,
    .flush_i(1'b0),
    .push_i (gen_accept),
    .data_i ({piece_bytes_q, pieces_more_q, turned_q, signal_q, target_q, base_q, gen_first_byte, last_piece, gen_run_first, gen_first, gen_last, index_q,
              araddr_o}),
    .full_o (info_full),
    .pop_i  (info_pop),
    .data_o (info),
    .empty_o(info_empty)
  );

  // ---- Two beats between the bus and the rest: RREADY comes from a register ----
  logic                  beat_full, beat_empty, beat_pop, beat_bad, beat_last;
  logic [AxiBytes*8-1:0] beat;

  assign rready_o = !beat_full;

  cd_fifo #(
    .Width(AxiBytes * 8 + 2),
    .Depth(2),
    .HeadW(2)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .flush_i(1'b0),
    .push_i (rvalid_i && rready_o),
    .data_i ({rresp_i != 2'b00, rlast_i, rdata_i}),
    .full_o (beat_full),
    .pop_i  (beat_pop),
    .data_o ({beat_bad, beat_last, beat}),
    .empty_o(beat_empty)
  );

  // ---- Data side ----
  logic [19:0]           waddr_q, waddr;      // next word of the command
  logic                  step, turning;       // a beat is worked on; the transposer is writing
  logic                  full;                // ... or will be in the next cycle
  logic                  head;                // the next step is the first of its burst
  logic [ChW-1:0]        chunk_q;             // pieces of a wide word collected so far
  logic [MaxBytes*8-1:0] wide_q, wide_d;
  logic                  piece_valid, word_done, beat_done, begins;
  logic [AxiBytes*8-1:0] piece;

  assign begins      = head && info.first;
  assign waddr       = begins ? info.base : waddr_q;

  cd_unpack #(
    .AxiBytes (AxiBytes),
    .Unaligned(Unaligned),
    .Granule  (Granule)
  ) u_unpack (
    .clk_i,
    .rst_ni,
    .step_i       (step),
    .beat_i       (beat),
    .last_i       (beat_last),
    .run_first_i  (info.run_first),
    .first_byte_i (info.first_byte),
    .last_piece_i (info.last_piece),
    .piece_bytes_i(info.piece_bytes),
    .head_o       (head),
    .done_o       (beat_done),
    .valid_o      (piece_valid),
    .piece_o      (piece)
  );

  if (LgMax > Lg) begin : gen_wide
    assign word_done = piece_valid && {1'b0, chunk_q} == info.pieces_more;
  end else begin : gen_no_wide
    assign word_done = piece_valid;
    logic unused_more;
    assign unused_more = ^info.pieces_more;
  end

  // The cycle after a step: its piece, and what becomes of it.
  logic           step_q, word_q, put_turned_q, end_q, program_q;
  logic [ChW-1:0] put_chunk_q;
  logic [15:0]    end_signal_q;
  buffer_e        put_target_q;
  logic [19:0]    put_addr_q;

  always_comb begin
    wide_d = wide_q;
    wide_d[AxiBytes*8*32'(put_chunk_q) +: AxiBytes*8] = piece;
  end

  // A command with an error response gives no token: what waits for it would work on nothing.
  logic failed_q, failed;

  assign step      = !beat_empty && !turning && !full;
  assign beat_pop  = step && beat_done;
  assign info_pop  = beat_pop && beat_last;
  assign failed    = failed_q || beat_bad;
  assign busy_o    = gen_busy || !info_empty || step_q || wr_valid_o || turning || full;

  // ---- Transposer: collects Cols words of N lanes, then writes N words of Cols lanes while the bus waits ----
  logic        turned, turn_last_q, turn_end;
  logic [19:0] turn_addr;
  logic [15:0] turn_signal_q;
  logic [WgtBytes*8-1:0] turn_data;
  assign turned = info.turned;

  if (Transposer) begin : gen_transposer
    localparam int unsigned ElW  = ActBytes * 8 / N;
    localparam int unsigned LgN  = $clog2(N);
    localparam int unsigned LgCo = $clog2(Cols);
    logic [N-1:0][ElW-1:0] block_q [Cols];
    logic [LgCo-1:0]       row_q, put_row_q;
    logic [LgN-1:0]        col_q;
    logic                  full_q, turning_q;
    logic [19:0]           addr_q;
    assign full      = full_q;
    assign turning   = turning_q;
    assign turn_end  = turning_q && &col_q;
    assign turn_addr = addr_q;
    always_comb begin
      for (int unsigned j = 0; j < Cols; j++) turn_data[j*ElW +: ElW] = block_q[j][col_q];
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        row_q     <= '0;
        col_q     <= '0;
        full_q    <= 1'b0;
        turning_q <= 1'b0;
        addr_q    <= '0;
      end else begin
        if (step && turned && begins) addr_q <= info.base;
        if (step && turned && word_done) row_q <= row_q + 1'b1;
        full_q <= step && turned && word_done && &row_q;
        if (full_q) turning_q <= 1'b1;
        if (turning_q) begin
          col_q  <= col_q + 1'b1;
          addr_q <= addr_q + 20'd1;
          if (&col_q) turning_q <= 1'b0;
        end
      end
    end
    always_ff @(posedge clk_i) begin
      put_row_q <= row_q;
      if (step_q && put_turned_q && word_q) block_q[put_row_q] <= wide_d[ActBytes*8-1:0];
    end
  end else begin : gen_no_transposer
    assign full      = 1'b0;
    assign turning   = 1'b0;
    assign turn_end  = 1'b0;
    assign turn_addr = '0;
    assign turn_data = '0;
    logic unused_turn;
    assign unused_turn = ^{32'(N), 32'(Cols), turned};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      chunk_q     <= '0;
      waddr_q     <= '0;
      step_q      <= 1'b0;
      end_q       <= 1'b0;
      program_q   <= 1'b0;
      wr_valid_o  <= 1'b0;
      signal_o    <= '0;
      program_o   <= 1'b0;
      bus_error_o <= 1'b0;
      error_index_o <= '0;
      error_addr_o  <= '0;
      failed_q      <= 1'b0;
      turn_last_q   <= 1'b0;
      turn_signal_q <= '0;
    end else begin
      step_q      <= step;
      wr_valid_o  <= (step_q && word_q && !put_turned_q) || turning;
      // A transposed command is done when its last block is written.
      if (info_pop) begin
        turn_last_q   <= info.last && turned;
        turn_signal_q <= failed ? '0 : info.signal;
      end
      if (turn_end) turn_last_q <= 1'b0;
      end_q     <= info_pop && info.last && !turned && !failed;
      program_q <= info_pop && info.last && info.target == BufProgram && !failed;
      signal_o  <= end_q ? end_signal_q : '0;
      if (turn_end && turn_last_q) signal_o <= turn_signal_q;
      program_o   <= program_q;
      bus_error_o <= beat_pop && beat_bad;
      if (beat_pop) failed_q <= failed && !(info_pop && info.last);
      error_index_o <= info.index;
      error_addr_o  <= info.addr;
      if (step) begin
        waddr_q <= word_done ? waddr + 20'd1 : waddr;
        if (piece_valid) chunk_q <= word_done ? '0 : chunk_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    word_q       <= word_done;
    put_turned_q <= turned;
    put_chunk_q  <= chunk_q;
    put_target_q <= info.target;
    put_addr_q   <= waddr;
    end_signal_q <= info.signal;
    if (step_q) begin
      wide_q      <= wide_d;
      wr_target_o <= put_target_q;
      wr_addr_o   <= put_addr_q;
      wr_data_o   <= wide_d;
    end
    if (turning) begin
      wr_target_o <= BufWeight;
      wr_addr_o   <= turn_addr;
      wr_data_o   <= (MaxBytes*8)'(turn_data);
    end
  end

endmodule
