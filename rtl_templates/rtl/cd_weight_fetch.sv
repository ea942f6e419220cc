// Reads the Rows weight words of the next pass while the present one runs.
//
// The first load follows start_i by one cycle. pass_start_i (first cycle of a pass) starts the load of the pass that
// comes after it, in the same cycle; a pass lasts Rows cycles or more, so that a load is over before the next begins.
// Words are read in order; a stripe that is not the last of its output channels is followed by the same words again.
// With headed_i a header lies in front of the Rows words, and a pass lasts Rows + 1 cycles or more.
module cd_weight_fetch #(
  parameter int unsigned Rows = 16,
  parameter int unsigned WbAw = 12
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    start_i,
  input  logic                    headed_i,       // from the cycle after start_i on
  input  logic [WbAw-1:0]         base_i,         // with start_i
  input  logic                    pass_start_i,
  input  logic                    red_last_i,     // the pass is the last of its reduction
  input  logic                    stripe_last_i,  // ... of the last stripe of its output channels
  input  logic                    tile_last_i,    // ... of the tile
  output logic                    loading_o,      // requests of this load follow after this cycle
  output logic                    wb_req_o,
  output logic [WbAw-1:0]         wb_addr_o,
  output logic                    head_o,         // with the data: it is a header
  output logic                    we_o,           // with the data: write it to row_o
  output logic [$clog2(Rows)-1:0] row_o
);

  localparam int unsigned RowAw = $clog2(Rows);

  logic [WbAw-1:0]  ptr_q, group_q;  // next word; first word of the present output channels
  logic             run_q, before_q;  // before_q: the next word is the first of its load
  logic [1:0]       we_q, head_q;     // of the word that is inside its memory; in its register
  logic [RowAw-1:0] row_q, row;
  logic [1:0][RowAw-1:0] we_row_q;
  logic             begin_load, replay, head;

  assign begin_load = pass_start_i && !tile_last_i;
  assign replay     = red_last_i && !stripe_last_i;
  assign row        = begin_load ? '0 : row_q;
  assign head       = headed_i && (begin_load || before_q);
  assign wb_req_o   = begin_load || run_q;
  assign wb_addr_o  = (begin_load && replay) ? group_q : ptr_q;
  assign loading_o  = wb_req_o && (head || row != RowAw'(Rows - 1));
  assign head_o     = head_q[1];
  assign we_o       = we_q[1];
  assign row_o      = we_row_q[1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ptr_q    <= '0;
      group_q  <= '0;
      run_q    <= 1'b0;
      we_q     <= '0;
      before_q <= 1'b0;
      head_q   <= '0;
      row_q    <= '0;
      we_row_q <= '0;
    end else begin
      we_q     <= {we_q[0], wb_req_o && !head};
      head_q   <= {head_q[0], wb_req_o && head};
      we_row_q <= {we_row_q[0], row};
      if (start_i) begin
        ptr_q   <= base_i;
        group_q <= base_i;
        row_q   <= '0;
        run_q   <= 1'b1;
        before_q <= 1'b1;
      end else if (wb_req_o) begin
        ptr_q <= wb_addr_o + 1'b1;
        row_q <= head ? '0 : row + 1'b1;
        run_q <= loading_o;
        before_q <= 1'b0;
        if (begin_load && red_last_i && stripe_last_i) group_q <= ptr_q;
      end
    end
  end

endmodule
