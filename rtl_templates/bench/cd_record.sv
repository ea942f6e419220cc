// What goes into and out of the accelerator in each cycle, as settled before the clock's edge: a line a cycle in
// record.txt, for simulations of its netlist (rtl_templates/recording.py binds it, and has the order of the bits).
module cd_record #(
  parameter int unsigned InW  = 1,
  parameter int unsigned OutW = 1
) (
  input logic            clk_i,
  input logic [InW-1:0]  in_i,
  input logic [OutW-1:0] out_i
);

  int file;
  initial file = $fopen("record.txt", "w");

  always_ff @(posedge clk_i) $fwrite(file, "%h %h\n", in_i, out_i);

  final $fclose(file);

endmodule
