// The store unit: strided DMA from the output buffer to memory.
//
// Addresses, data and responses are three loosely coupled stages, so that a command's data follows the previous
// command's without a gap; a command is done when the memory has answered its last burst.
module cd_store
  import cd_types_pkg::*;
#(
  parameter int unsigned AxiBytes    = 16,
  parameter int unsigned MaxBurst    = 32,
  parameter int unsigned Outstanding = 16,  // bursts in flight, a power of two
  parameter int unsigned ActBytes    = 16,  // a word of the output buffer
  parameter bit          Unaligned   = 1'b1 // runs may begin at any byte
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  cmd_valid_i,
  input  dma_t                  cmd_i,
  input  logic [20:0]           words_i,      // words of the whole command
  input  logic [15:0]           signal_i,
  input  logic [15:0]           tag_i,
  input  logic                  mark_i,
  input  logic [31:0]           index_i,      // the command's place in the program
  input  logic                  tokens_ok_i,
  output logic                  start_o,
  output logic [15:0]           signal_o,
  output logic                  mark_o,       // pulse: a marked command is done
  output logic [15:0]           mark_tag_o,
  output logic                  busy_o,
  output logic                  bus_error_o,  // pulse, with the command and the burst's address
  output logic [31:0]           error_index_o,
  output logic [39:0]           error_addr_o,

  output logic                  ob_re_o,
  output logic [19:0]           ob_addr_o,
  input  logic [ActBytes*8-1:0] ob_data_i,

  output logic                  awvalid_o,
  input  logic                  awready_i,
  output logic [39:0]           awaddr_o,
  output logic [7:0]            awlen_o,
  output logic [15:0]           awuser_o,
  output logic                  wvalid_o,
  input  logic                  wready_i,
  output logic [AxiBytes*8-1:0] wdata_o,
  output logic [AxiBytes-1:0]   wstrb_o,
  output logic                  wlast_o,
  input  logic                  bvalid_i,
  output logic                  bready_o,
  input  logic [1:0]            bresp_i
);

  localparam int unsigned Lg     = $clog2(AxiBytes);
  localparam int unsigned LgWord = $clog2(ActBytes);
  localparam int unsigned Piece  = ActBytes < AxiBytes ? ActBytes : AxiBytes;
  localparam int unsigned SlotW  = Piece < AxiBytes ? $clog2(AxiBytes / Piece) : 1;
  localparam int unsigned Ahead  = 4;         // words read ahead of the bus

  // ---- Addresses ----
  typedef struct packed {
    logic [7:0]    len;
    logic [Lg-1:0] first_byte;
    logic [Lg-1:0] last_byte;
    logic          run_first;
    logic          single;      // of one beat
    logic [SlotW-1:0] last_slot; // of the piece in its last beat that reaches last_byte (cd_pack)
    logic          none;        // no piece begins there
    logic          begin_last;  // the run's first piece reaches last_byte, if it lies in that beat
  } burst_t;
  typedef struct packed {
    logic        last;
    logic        mark;
    logic [15:0] signal;
    logic [15:0] tag;
    logic [31:0] index;
    logic [39:0] addr;
  } reply_t;

  logic          gen_busy, gen_active, gen_accept, gen_run_first, gen_last, unused_gen_first;
  logic [Lg-1:0] gen_first_byte, gen_last_byte;
  logic [Lg-1:0] gen_shift, shift_q, reach;
  logic [SlotW-1:0] gen_last_slot;
  logic          gen_none, gen_begin_last;
  logic [15:0]   signal_q, tag_q;
  logic          mark_q;
  logic [31:0]   index_q;
  logic          aw_room;
  logic [39:0]   gen_addr;
  logic [7:0]    gen_len;
  logic          info_full, info_empty, info_pop, reply_full, reply_empty;
  burst_t        info;
  reply_t        reply;
  logic          reader_busy;

  assign start_o    = cmd_valid_i && tokens_ok_i && !gen_busy && !reader_busy;
  assign gen_accept = gen_active && !info_full && !reply_full && aw_room;

  // An address waits in a register while its data may go: a slave may want to see both before it takes either.
  assign aw_room = !awvalid_o || awready_i;

  // All pieces of a run begin at the same byte of their slots: which one ends a burst is known before its first beat.
  assign gen_shift = !Unaligned ? '0 : (gen_run_first ? gen_first_byte : shift_q) & Lg'(Piece - 1);
  assign {gen_none, reach} = {1'b0, gen_last_byte} - {1'b0, gen_shift};
  if (Piece < AxiBytes) begin : gen_slots
    assign gen_last_slot  = reach[Lg-1 -: SlotW];
    assign gen_begin_last = gen_first_byte[Lg-1 -: SlotW] >= gen_last_slot;
    logic unused_reach;
    assign unused_reach = ^reach;
  end else begin : gen_one_slot
    assign gen_last_slot  = '0;
    assign gen_begin_last = 1'b1;
    logic unused_reach;
    assign unused_reach = ^reach;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) awvalid_o <= 1'b0;
    else if (aw_room) awvalid_o <= gen_accept;
  end
  always_ff @(posedge clk_i) begin
    if (gen_accept) begin
      shift_q  <= gen_shift;
      awaddr_o <= gen_addr;
      awlen_o  <= gen_len;
      awuser_o <= tag_q;
    end
  end

  cd_burst_gen #(
    .AxiBytes(AxiBytes),
    .MaxBurst(MaxBurst)
  ) u_gen (
    .clk_i,
    .rst_ni,
    .start_i     (start_o),
    .addr_i      (cmd_i.addr),
    .run_bytes_i (32'(cmd_i.count0) << LgWord),
    .count1_i    (cmd_i.count1),
    .count2_i    (cmd_i.count2),
    .stride1_i   (cmd_i.stride1),
    .stride2_i   (cmd_i.stride2),
    .busy_o      (gen_busy),
    .active_o    (gen_active),
    .accept_i    (gen_accept),
    .addr_o      (gen_addr),
    .len_o       (gen_len),
    .first_byte_o(gen_first_byte),
    .last_byte_o (gen_last_byte),
    .run_first_o (gen_run_first),
    .first_o     (unused_gen_first),
    .last_o      (gen_last)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      signal_q <= '0;
      tag_q    <= '0;
      mark_q   <= 1'b0;
      index_q  <= '0;
    end else if (!gen_busy) begin  // in every idle cycle: the start is known late
      signal_q <= signal_i;
      tag_q    <= tag_i;
      mark_q   <= mark_i;
      index_q  <= index_i;
    end
  end

  cd_fifo #(
    .Width($bits(burst_t)),
    .Depth(Outstanding),
    .HeadW($bits(burst_t))
  ) u_info (
    .clk_i,
    .rst_ni,
    .flush_i(1'b0),
    .push_i (gen_accept),
    .data_i ({gen_len, gen_first_byte, gen_last_byte, gen_run_first, gen_len == '0, gen_last_slot, gen_none, gen_begin_last}),
    .full_o (info_full),
    .pop_i  (info_pop),
    .data_o (info),
    .empty_o(info_empty)
  );

  cd_fifo #(
    .Width($bits(reply_t)),
    .Depth(Outstanding),
    .HeadW($bits(reply_t))
  ) u_reply (
    .clk_i,
    .rst_ni,
    .flush_i(1'b0),
    .push_i (gen_accept),
    .data_i ({gen_last, mark_q, signal_q, tag_q, index_q, gen_addr}),
    .full_o (reply_full),
    .pop_i  (bvalid_i),
    .data_o (reply),
    .empty_o(reply_empty)
  );

  logic unused_target;  // checked before the command reaches this unit
  assign unused_target = ^cmd_i.target;

  // ---- Words: read ahead of the bus into a short queue ----
  logic [20:0]           left_q;
  logic [19:0]           raddr_q;
  logic [2:0]            held_q;      // words in the queue or on their way to it
  logic [1:0]            arriving_q;  // a word is inside its memory; in its register
  logic                  reading_q, final_word_q;  // left_q > 0, left_q == 1
  logic                  word_pop, word_empty, unused_word_full;
  logic [ActBytes*8-1:0] word;

  assign reader_busy = reading_q;
  assign ob_re_o     = reader_busy && held_q < 3'(Ahead);
  assign ob_addr_o   = raddr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q     <= '0;
      arriving_q <= '0;
      reading_q  <= 1'b0;
    end else begin
      arriving_q <= {arriving_q[0], ob_re_o};
      held_q     <= held_q + 3'(ob_re_o) - 3'(word_pop);
      if (start_o) reading_q <= 1'b1;
      else if (ob_re_o && final_word_q) reading_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (!reading_q) begin
      left_q       <= words_i;
      final_word_q <= words_i == 21'd1;
      raddr_q      <= cmd_i.base;
    end else if (ob_re_o) begin
      left_q       <= left_q - 21'd1;
      final_word_q <= left_q == 21'd2;
      raddr_q      <= raddr_q + 20'd1;
    end
  end

  cd_fifo #(
    .Width(ActBytes * 8),
    .Depth(Ahead)
  ) u_words (
    .clk_i,
    .rst_ni,
    .flush_i(1'b0),
    .push_i (arriving_q[1]),
    .data_i (ob_data_i),
    .full_o (unused_word_full),
    .pop_i  (word_pop),
    .data_o (word),
    .empty_o(word_empty)
  );

  // ---- Beats ----
  logic [7:0]            beat_q;        // beats of the burst already built
  logic                  begun_q, final_q; // some are; only the last is missing
  logic                  last_beat, step, need, beat_done, out_free;
  logic [Piece*8-1:0]    piece;
  logic [AxiBytes*8-1:0] beat_data;
  logic [AxiBytes-1:0]   beat_strb;

  assign last_beat = begun_q ? final_q : info.single;
  assign out_free  = !wvalid_o || wready_i;
  assign step      = !info_empty && (!word_empty || !need) && (out_free || !beat_done);
  assign info_pop  = !info_empty && (!word_empty || !need) && out_free && beat_done && last_beat;  // step, and a beat's last

  assign beat_strb = (!begun_q ? {AxiBytes{1'b1}} << info.first_byte : {AxiBytes{1'b1}})
                   & (last_beat ? ~(({AxiBytes{1'b1}} << 1) << info.last_byte) : {AxiBytes{1'b1}});

  cd_pack #(
    .AxiBytes  (AxiBytes),
    .PieceBytes(Piece),
    .Unaligned (Unaligned)
  ) u_pack (
    .clk_i,
    .rst_ni,
    .step_i      (step),
    .piece_i     (piece),
    .last_i      (last_beat),
    .run_first_i (info.run_first && !info_empty),
    .first_byte_i(info.first_byte),
    .last_slot_i (info.last_slot),
    .none_i      (info.none),
    .begin_last_i(info.begin_last),
    .need_o      (need),
    .done_o      (beat_done),
    .beat_o      (beat_data)
  );

  // A word wider than a beat gives several pieces.
  localparam int unsigned Chunks = ActBytes / Piece;
  if (Chunks > 1) begin : gen_chunks
    logic [$clog2(Chunks)-1:0] chunk_q;
    assign piece    = word[Piece*8*32'(chunk_q) +: Piece*8];
    assign word_pop = step && need && &chunk_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) chunk_q <= '0;
      else if (step && need) chunk_q <= chunk_q + 1'b1;
    end
  end else begin : gen_whole
    assign piece    = word;
    assign word_pop = step && need;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_q   <= '0;
      begun_q  <= 1'b0;
      wvalid_o <= 1'b0;
    end else begin
      if (out_free) wvalid_o <= step && beat_done;
      if (step && beat_done) begin
        beat_q  <= last_beat ? 8'd0 : beat_q + 8'd1;
        begun_q <= !last_beat;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (step && beat_done) final_q <= beat_q + 8'd1 == info.len;
    if (out_free) begin      // what is not valid does not matter
      wdata_o <= beat_data;
      wstrb_o <= beat_strb;
      wlast_o <= last_beat;
    end
  end

  // ---- Responses: a command with an error response gives no token and no mark ----
  logic failed_q, failed;
  assign failed   = failed_q || bresp_i != 2'b00;
  assign bready_o = 1'b1;
  assign busy_o   = gen_busy || reader_busy || !reply_empty;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      signal_o    <= '0;
      mark_o      <= 1'b0;
      mark_tag_o  <= '0;
      bus_error_o <= 1'b0;
      error_index_o <= '0;
      error_addr_o  <= '0;
      failed_q      <= 1'b0;
    end else begin
      signal_o    <= bvalid_i && reply.last && !failed ? reply.signal : '0;
      mark_o      <= bvalid_i && reply.last && !failed && reply.mark;
      mark_tag_o  <= reply.tag;
      bus_error_o <= bvalid_i && bresp_i != 2'b00;
      if (bvalid_i) begin
        error_index_o <= reply.index;
        error_addr_o  <= reply.addr;
        failed_q      <= failed && !reply.last;
      end
    end
  end

endmodule
