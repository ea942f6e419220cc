// Generated: the parameters of one design.
package cd_config_pkg;
  localparam int unsigned ArrayKind      = 0;
  localparam int unsigned Rows           = 16;
  localparam int unsigned Cols           = 16;
  localparam int unsigned ActW           = 8;
  localparam int unsigned WgtW           = 8;
  localparam int unsigned AccW           = 32;
  localparam int unsigned IbWords        = 4096;
  localparam int unsigned WbWords        = 4096;
  localparam int unsigned AbWords        = 512;
  localparam int unsigned ObWords        = 1024;
  localparam int unsigned PbChannels     = 512;
  localparam int unsigned PpuLanes       = 4;
  localparam int unsigned NonlinearLanes = 0;
  localparam int unsigned ActTables      = 0;
  localparam int unsigned VectorTaps     = 1;
  localparam int unsigned AccStages      = 0;
  localparam int unsigned PpuStages      = 0;
  localparam int unsigned Packing        = 1;
  localparam bit          DualRate       = 1'b0;
  localparam bit          TapSkip        = 1'b0;
  localparam int unsigned AxiW           = 128;
  localparam int unsigned MaxBurst       = 16;
  localparam bit          Unaligned      = 1'b1;
  localparam int unsigned DesignHash     = 2138954052;
endpackage
